package qupath.lib.objects.hierarchy

import qupath.lib.objects.PathObject

/** Stands in for QuPath's tree of objects. */
class PathObjectHierarchy {
    PathObject root = new PathObject(type: 'root')
    boolean isResolved

    Collection getAnnotationObjects() { root.descendants().findAll { it.isAnnotation() } }
    Collection getDetectionObjects() { root.descendants().findAll { it.isDetection() } }

    /** With their children, unless these are to be kept. */
    void removeObjects(Collection objects, boolean keepChildren) {
        if (!(objects instanceof Set))
            throw new IllegalArgumentException('QuPath looks up every child in this collection, which takes a list for ever')
        objects.each { one ->
            if (keepChildren)
                one.children.collect().each { one.parent.adopt(it) }
            one.parent.children.removeAll { it.is(one) }
        }
    }

    void addObjects(Collection objects) { objects.each { root.adopt(it) } }
    void resolveHierarchy() { isResolved = true }

    List described() {
        root.descendants().collect {
            [type: it.type, class: it.pathClass, locked: it.locked, histoloom: it.metadata.histoloom, id: it.id.toString()]
        }
    }
}
