package com.google.gson

/** Stands in for Gson's JsonObject and JsonElement. */
class JsonObject {
    def values
    def getAsJsonArray(String key) { values[key].collect { new JsonObject(values: it) } }
    def getAsJsonObject() { this }
    def get(String key) { values.containsKey(key) ? new JsonObject(values: values[key]) : null }
    String getAsString() { values }
    int getAsInt() { values }
    void addProperty(String key, String value) { values[key] = value }
}
