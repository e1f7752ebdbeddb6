package qupath.lib.objects

/** Stands in for QuPath's objects. */
class PathObject {
    String type = 'annotation'
    def pathClass
    boolean locked
    UUID id = UUID.randomUUID()
    Map metadata = [:]
    PathObject parent
    List<PathObject> children = []

    boolean isAnnotation() { type == 'annotation' }
    boolean isDetection() { type == 'detection' }
    void setID(UUID value) { id = value }

    /** Of a test's word: a class alone, or {class, type, locked, histoloom, id, inside: [...]}. */
    static PathObject of(word) {
        def facts = word instanceof Map ? word : [class: word]
        def made = new PathObject(type: facts.type ?: 'annotation', pathClass: facts.class, locked: facts.locked ?: false)
        if (facts.histoloom)
            made.metadata.histoloom = facts.histoloom
        if (facts.id)
            made.id = UUID.fromString(facts.id)
        (facts.inside ?: []).each { made.adopt(of(it)) }
        return made
    }

    void adopt(PathObject child) {
        child.parent?.children?.removeAll { it.is(child) }
        child.parent = this
        children << child
    }

    List<PathObject> descendants() { children.collectMany { [it] + it.descendants() } }
}
