/*
 * Writes the annotations of an image of a QuPath project as GeoJSON; QuPath runs it once for each image.
 *
 * QuPath script -p project.qpproj scripts/qupath/export_annotations.groovy --args out=/data/annotations
 *
 * Settings, each --args key=value: out (folder), compress (true, the default, writes .geojson.gz).
 * Annotations that import_results.groovy brought are left out while they are locked: a model drew them. Who has seen
 * to one and takes it as truth unlocks it.
 * See README.md beside this file. For QuPath 0.5 and newer.
 */
import static qupath.lib.scripting.QP.*

import java.nio.file.Files
import java.nio.file.StandardCopyOption

def settings = readSettings(binding.hasVariable('args') ? args as List : [], [out: null, compress: 'true'])
if (!(settings.compress in ['true', 'false']))
    stop("compress=${settings.compress}: expected true or false; mend the command")

def folder = new File(settings.out)
folder.mkdirs()
def name = uniqueName()
def files = ['.geojson', '.geojson.gz'].collect { new File(folder, name + it) }
def (predicted, annotations) = getAnnotationObjects().split { isPrediction(it) }
def leftOut = predicted ? ", ${predicted.size()} locked ones of a model left out" : ''
if (annotations.isEmpty()) {
    // A file of an earlier export would bring back annotations that were deleted since.
    files.each { it.delete() }
    println "${name}: nothing drawn, no file written${leftOut}"
    return
}

def target = settings.compress == 'true' ? files[1] : files[0]
def part = new File(folder, '.part-' + target.name)  // the ending tells QuPath whether to compress
try {
    exportObjectsToGeoJson(annotations, part.path, 'FEATURE_COLLECTION')
    if (part.length() == 0)
        stop("${part}: QuPath wrote nothing; expected ${annotations.size()} annotations; check the space on that disk")
    Files.move(part.toPath(), target.toPath(), StandardCopyOption.ATOMIC_MOVE)
} finally {
    part.delete()
}
files.findAll { it != target }.each { it.delete() }  // one image, one file, whatever an earlier run chose
def counts = annotations.countBy { it.getPathClass() == null ? 'no class' : it.getPathClass().toString() }
println "${target}: ${annotations.size()} annotations ${counts}${leftOut}"

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

/** Whether a model drew it, and nobody made it their own by unlocking it. */
def isPrediction(annotation) {
    return annotation.isLocked() && annotation.getMetadata().containsKey('histoloom')
}

/** The name of this image as a file name, without the ending of its format. */
def uniqueName() {
    if (getProject() == null || getProjectEntry() == null)
        stop('no project; expected an image of one; give -p project.qpproj, or open the project first')
    def mine = getProjectEntry().getImageName()
    def same = getProject().getImageList().collect { it.getImageName() }.findAll {
        fileName(it).toLowerCase() == fileName(mine).toLowerCase()
    }
    if (same.size() > 1)
        stop("images ${same.join(' and ')} give one file name, '${fileName(mine)}'; expected different names; " +
            'rename one in the project')
    return fileName(mine)
}

/** A name without what some file system forbids; all else stays, since images and annotations are paired by name. */
def fileName(imageName) {
    def formats = 'svs|svslide|ndpi|mrxs|scn|vms|vmu|vsi|czi|bif|tiff?|jpe?g|png|bmp'
    def stem = imageName.replaceAll("(?i)(\\.ome)?\\.(${formats})\$", '')
    def name = stem.replaceAll('[\\\\/:"*?<>|\\p{Cntrl}]+', '_').replaceAll('^[. ]+', '').replaceAll('[. ]+$', '')
    if (!name)
        stop("image '${imageName}': no letter in its name; expected some; rename it in the project")
    return name
}

def stop(message) {
    throw new IllegalArgumentException(message.toString())
}
