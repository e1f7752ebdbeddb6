package qupath.lib.io

import com.google.gson.JsonObject
import groovy.json.JsonOutput
import groovy.json.JsonSlurper

/** Stands in for QuPath's Gson. */
class GsonTools {
    static getInstance(boolean pretty = false) { new GsonTools() }
    def fromJson(String text, Class type) { new JsonObject(values: new JsonSlurper().parseText(text)) }
    String toJson(JsonObject content) { JsonOutput.toJson(content.values) }
}
