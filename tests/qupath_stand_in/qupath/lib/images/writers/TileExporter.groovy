package qupath.lib.images.writers

import groovy.json.JsonOutput
import qupath.lib.images.servers.LabeledImageServer
import qupath.lib.scripting.QP

/** Stands in for QuPath's tiles: two of them, named as QuPath names them, holding what was asked for. */
class TileExporter {
    Map asked = [:]
    LabeledImageServer labels

    TileExporter(imageData) {}
    TileExporter downsample(double value) { asked.downsample = value; this }
    TileExporter tileSize(int value) { asked.tile = value; this }
    TileExporter overlap(int value) { asked.overlap = value; this }
    TileExporter imageExtension(String value) { asked.extension = value; this }
    TileExporter labeledImageExtension(String value) { asked.labelExtension = value; this }
    TileExporter labeledServer(LabeledImageServer value) { labels = value; this }
    TileExporter annotatedTilesOnly(boolean value) { asked.annotatedOnly = value; this }
    TileExporter imageSubDir(String value) { asked.images = value; this }
    TileExporter labeledImageSubDir(String value) { asked.labels = value; this }
    TileExporter exportJson(boolean value) { asked.json = value; this }

    void writeTiles(String folder) {
        if (QP.state.tiles == 0)
            return
        def name = QP.state.image.replaceAll('[\\\\/:"*?<>|\\n\\r]+', '').replaceAll('\\.[a-z]+$', '')
        int side = Math.round(asked.tile * asked.downsample)
        def tiles = (0..<(QP.state.tiles ?: 2)).collect { number ->
            def stem = "${name} [d=${asked.downsample},x=${number * side},y=0,w=${side},h=${side}]"
            [image: "${asked.images}/${stem}${asked.extension}", labels: "${asked.labels}/${stem}${asked.labelExtension}"]
        }
        new File(folder, "${name}-tiles.json").text = JsonOutput.toJson(
            [base_directory: folder, labels: labels.asked.labels.collect { [classification: it.key, label: it.value] }, tiles: tiles]
        )
        tiles.eachWithIndex { tile, number ->
            tile.values().each { path ->
                def file = new File(folder, path)
                file.parentFile.mkdirs()
                if (!(QP.state.full && number == 1))
                    file.text = JsonOutput.toJson(asked + [server: labels.asked])
            }
        }
    }
}
