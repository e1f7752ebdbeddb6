package qupath.lib.scripting

import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy

/** Stands in for QuPath's scripting methods: the project and the image are what a test says. */
class QP {
    static Map state
    static PathObjectHierarchy hierarchy = new PathObjectHierarchy()

    /** What a test says; without `objects` the image keeps those that an earlier case left. */
    static void setState(Map told) {
        state = told
        if (told.objects != null) {
            hierarchy = new PathObjectHierarchy()
            hierarchy.addObjects(told.objects.collect { PathObject.of(it) })
        }
    }

    static getProject() { state.project == null ? null : new Project() }
    static getProjectEntry() { state.project == null || state.image == null ? null : new Entry(state.image) }
    static getCurrentImageData() { state.image == null ? null : new Data() }
    static getAnnotationObjects() { state.annotations.collect { PathObject.of(it) } }

    static void exportObjectsToGeoJson(annotations, String path, String option) {
        new File(path).text = state.full ? '' : "${option} ${annotations.size()}"
    }

    static class Project {
        def getImageList() { QP.state.project.images.collect { new Entry(it) } }
        def getPathClasses() { QP.state.project.classes }
    }

    static class Entry {
        String name
        Entry(name) { this.name = name }
        def getImageName() { name }
        def getID() { QP.state.id ?: name }
    }

    static class Data {
        def getServer() { new Server() }
        def getHierarchy() { QP.hierarchy }
    }

    static class Server {
        def getPixelCalibration() { new Calibration() }
        def getMetadata() { new Expando(getName: { QP.state.image }) }
        Collection<URI> getURIs() { (QP.state.files ?: []).collect { new File(it).toURI() } }
        int getWidth() { QP.state.size[0] }
        int getHeight() { QP.state.size[1] }
    }

    static class Calibration {
        double getAveragedPixelSizeMicrons() { QP.state.pixel_size_um == null ? Double.NaN : QP.state.pixel_size_um }
    }
}
