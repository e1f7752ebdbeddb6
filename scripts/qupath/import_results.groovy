/*
 * Shows histoloom's results in an image of QuPath: regions as locked annotations, nuclei as detections. Of a project
 * QuPath runs it once for each image.
 *
 * QuPath script -p project.qpproj --save scripts/qupath/import_results.groovy \
 *     --args results=/data/study/results --args model=hnscc/unet
 *
 * What it imported of that model before is replaced, and what people drew stays. An imported annotation that somebody
 * unlocked has become theirs: it stays too, and no longer counts as imported.
 *
 * Settings, each --args key=value: results (folder of the study's results, which holds slides/); model (folder of the
 * model within that of the slide; may be left out where there is one); objects (regions, nuclei, or regions,nuclei, the
 * default); resolve (true, the default, puts nuclei and annotations below the annotations that hold them).
 * See README.md beside this file. For QuPath 0.5 and newer.
 */
import static qupath.lib.scripting.QP.*

import com.google.gson.JsonObject

import qupath.lib.io.GsonTools
import qupath.lib.io.PathIO

def settings = readSettings(
    binding.hasVariable('args') ? args as List : [],
    [results: null, model: '', objects: 'regions,nuclei', resolve: 'true']
)
if (!(settings.resolve in ['true', 'false']))
    stop("resolve=${settings.resolve}: expected true or false; mend the command")
def kinds = chosenKinds(settings.objects)
def imageData = getCurrentImageData()
if (imageData == null)
    stop('no image; expected one; give -p project.qpproj, or open an image first')
def imageName = getProjectEntry()?.getImageName() ?: imageData.getServer().getMetadata().getName()
def slide = slideFolder(new File(settings.results, 'slides'), imageName, imageData.getServer())
if (slide == null) {
    println "${imageName}: no results of this name in ${settings.results}, nothing changed"
    return
}
def model = chosenModel(slide, settings.model)
// All of it is read before anything is removed, so that a damaged file changes nothing.
def imported = kinds.collectMany { readResults(new File(slide, "${model}/${it}.geojson.gz")) }
def marks = imported.collect { markOf(it) }.toSet() + model

def hierarchy = imageData.getHierarchy()
def there = ('regions' in kinds ? hierarchy.getAnnotationObjects() as List : []) +
    ('nuclei' in kinds ? hierarchy.getDetectionObjects() as List : [])
def (adopted, outdated) = there.findAll { markOf(it) in marks }.split { it.isAnnotation() && !it.isLocked() }
adopted.each {
    it.getMetadata().remove('histoloom')
    it.setID(UUID.randomUUID())  // the file has an object of the old one
}
imported.findAll { it.isAnnotation() }.each { it.setLocked(true) }
// As a set: QuPath asks it about every child, which a list of a million nuclei answers too slowly. Children stay, since
// what people drew inside a region is one of them.
hierarchy.removeObjects(new HashSet(outdated), true)
hierarchy.addObjects(imported)
if (settings.resolve == 'true')
    hierarchy.resolveHierarchy()
def counts = imported.countBy { it.getPathClass() == null ? 'no class' : it.getPathClass().toString() }
println "${imageName}: ${imported.size()} objects of ${model} ${counts} imported, ${outdated.size()} replaced, " +
    "${adopted.size()} unlocked ones kept"

/** The settings of the command, over their defaults; a default of null has to be given. */
def readSettings(given, defaults) {
    def settings = new LinkedHashMap(defaults)
    given.each { word ->
        def place = word.indexOf('=')
        def key = place < 0 ? word : word.substring(0, place)
        if (place < 0 || !defaults.containsKey(key))
            stop("--args ${word}: no setting; expected key=value with one of ${defaults.keySet().join(', ')}; " +
                'mend the command')
        settings[key] = word.substring(place + 1)
    }
    def missing = settings.findAll { it.value == null }.keySet()
    if (missing)
        stop("no ${missing.join(', no ')}; expected --args ${missing.first()}=...; add it to the command")
    return settings
}

def chosenKinds(text) {
    def kinds = text.split(',').collect { it.trim() }.findAll { it }
    if (kinds.isEmpty() || !kinds.every { it in ['regions', 'nuclei'] })
        stop("objects=${text}: expected regions, nuclei, or regions,nuclei; mend the command")
    return kinds.unique()
}

/** The results whose slide.json names this image, or its file; null where there are none. */
def slideFolder(slides, imageName, server) {
    def found = slides.listFiles()?.sort()?.findAll { new File(it, 'slide.json').isFile() }
    if (!found)
        stop("${slides}: no results of slides there; expected folders with a slide.json each; " +
            'give results=, the folder that holds slides')
    def names = ([imageName] + server.getURIs().collect { new File(it.getPath() ?: '').name }).findAll { it }
    names += names.collect { withoutFormat(it) }
    def mine = found.findAll {
        def facts = read(new File(it, 'slide.json'))
        ['name', 'slide'].any { key -> new File(facts.get(key).getAsString()).name in names }
    }
    if (mine.size() > 1)
        stop("${imageName}: has the name of ${mine.size()} slides, ${mine*.name.join(' and ')}; expected one; " +
            'rename the image in the project to tell which')
    if (mine)
        checkSize(mine[0], imageName, server)
    return mine ? mine[0] : null
}

/** Results are in pixels of the whole slide: on another series, or a crop, they would lie beside their place. */
def checkSize(slide, imageName, server) {
    def facts = read(new File(slide, 'slide.json'))
    def expected = ['width', 'height'].collect { facts.get(it).getAsInt() }
    if (expected != [server.getWidth(), server.getHeight()])
        stop("${imageName}: is ${server.getWidth()} x ${server.getHeight()} px, ${slide.name}/slide.json says " +
            "${expected.join(' x ')}; expected the same image; add the slide itself to the project, " +
            'not a crop, a rotation or another of its images')
}

/** The model asked for, or the only one that there is: folders below that of the slide, one or two deep. */
def chosenModel(slide, asked) {
    def inner = slide.listFiles().findAll { it.isDirectory() }
    def models = (inner + inner.collectMany { it.listFiles().findAll { it.isDirectory() } }).findAll { folder ->
        ['regions', 'nuclei'].any { new File(folder, "${it}.geojson.gz").isFile() }
    }.collect { slide.toPath().relativize(it.toPath()).toString().replace(File.separator, '/') }.sort()
    if (asked ? !(asked in models) : models.size() != 1)
        stop("${slide}: model='${asked}', with results of ${models.join(', ') ?: 'none'}; expected one of them; " +
            (models ? 'give model=' : 'run the workflow for this slide'))
    return asked ?: models[0]
}

def readResults(file) {
    if (!file.isFile())
        stop("${file}: no such file; expected the results of a slide; run the workflow for it, " +
            'or leave it out by objects=')
    def objects
    try {
        objects = PathIO.readObjects(file)
    } catch (IOException | RuntimeException problem) {
        stop("${file}: cannot be read (${problem}); expected GeoJSON of histoloom; run the workflow's export again")
    }
    if (!objects.every { markOf(it) })
        stop("${file}: holds objects that are not of histoloom; expected its name in the metadata of each; " +
            "run the workflow's export again")
    return objects
}

/** The name of the model that made an object, or null: such are a person's, or of another program. */
def markOf(object) {
    return object.getMetadata().get('histoloom')
}

def withoutFormat(name) {
    def formats = 'svs|svslide|ndpi|mrxs|scn|vms|vmu|vsi|czi|bif|tiff?|jpe?g|png|bmp'
    return name.replaceAll("(?i)(\\.ome)?\\.(${formats})\$", '')
}

/** As a JsonObject, since a Map would turn whole numbers into 1.0, 2.0. */
def read(file) {
    return GsonTools.getInstance().fromJson(file.getText('UTF-8'), JsonObject)
}

def stop(message) {
    throw new IllegalArgumentException(message.toString())
}
