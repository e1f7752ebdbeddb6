package qupath.lib.io

import groovy.json.JsonSlurper
import java.util.zip.GZIPInputStream
import qupath.lib.objects.PathObject

/** Stands in for QuPath's reader of GeoJSON. */
class PathIO {
    static List<PathObject> readObjects(File file) {
        def content = new GZIPInputStream(file.newInputStream()).withCloseable { new JsonSlurper().parse(it, 'UTF-8') }
        return content.features.collect {
            def told = it.properties
            def facts = [type: told.objectType, class: told.classification?.name, locked: told.isLocked]
            PathObject.of(facts + [histoloom: told.metadata?.histoloom, id: it.id])
        }
    }
}
