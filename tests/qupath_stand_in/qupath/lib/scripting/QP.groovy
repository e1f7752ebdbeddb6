package qupath.lib.scripting

/** Stands in for QuPath's scripting methods: the project and the image are what a test says. */
class QP {
    static Map state

    static getProject() { state.project == null ? null : new Project() }
    static getProjectEntry() { state.image == null ? null : new Entry(state.image) }
    static getCurrentImageData() { new Expando(getServer: { new Expando(getPixelCalibration: { new Calibration() }) }) }
    static getAnnotationObjects() { state.annotations.collect { new Annotation(it) } }

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

    static class Annotation {
        def pathClass
        Annotation(name) { pathClass = name }
        def getPathClass() { pathClass }
    }

    static class Calibration {
        double getAveragedPixelSizeMicrons() { QP.state.pixel_size_um == null ? Double.NaN : QP.state.pixel_size_um }
    }
}
