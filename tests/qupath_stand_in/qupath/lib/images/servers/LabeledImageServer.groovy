package qupath.lib.images.servers

import qupath.lib.scripting.QP

/** Stands in for QuPath's label images: it remembers what was asked for. */
class LabeledImageServer {
    Map asked

    static class Builder {
        Map asked = [labels: [:]]
        Builder(imageData) {}
        Builder useFilter(java.util.function.Predicate filter) {
            asked.drawn = QP.getAnnotationObjects().findAll { filter.test(it) }.collect { it.pathClass }
            this
        }
        Builder backgroundLabel(int label) { asked.labels['*Background*'] = label; this }
        Builder downsample(double value) { asked.downsample = value; this }
        Builder multichannelOutput(boolean value) { asked.multichannel = value; this }
        Builder grayscale() { asked.grayscale = true; this }
        Builder addLabel(String name, int label) { asked.labels[name] = label; this }
        LabeledImageServer build() { new LabeledImageServer(asked: asked) }
    }
}
