/*
 * Writes the annotated tiles of an image of a QuPath project, with a label image each; QuPath runs it for each image.
 *
 * QuPath script -p project.qpproj scripts/qupath/export_tiles.groovy \
 *     --args out=/data/tiles --args pixel_size_um=0.5 --args tile_px=512 --args "classes=Stroma,Tumor"
 *
 * Settings, each --args key=value: out (folder); downsample or pixel_size_um (micrometres); tile_px and overlap_px
 * (pixels of the tile); classes (label 1, 2, ... in this order, and drawn in this order: where two overlap, the later
 * one is seen; -Name leaves a class out). Where Ignore* is drawn it is the last label, above all others, so that what
 * it covers is no class here either. Label 0 is where none of them is drawn.
 * Annotations that import_results.groovy brought are left out while they are locked: a model drew them.
 * See README.md beside this file. For QuPath 0.5 and newer.
 */
import static qupath.lib.scripting.QP.*

import java.nio.file.Files
import java.nio.file.StandardCopyOption

import com.google.gson.JsonObject

import qupath.lib.images.servers.LabeledImageServer
import qupath.lib.images.writers.TileExporter
import qupath.lib.io.GsonTools

def settings = readSettings(
    binding.hasVariable('args') ? args as List : [],
    [out: null, classes: null, downsample: '', pixel_size_um: '', tile_px: '512', overlap_px: '0']
)
def folder = new File(settings.out)
def imageData = getCurrentImageData()
if (imageData == null || getProjectEntry() == null)
    stop('no image of a project; give -p project.qpproj, or open the project and an image first')
def imageName = getProjectEntry().getImageName()
def classes = chosenClasses(settings.classes, imageName)
def downsample = chosenDownsample(settings, imageData, imageName)
def tile = wholeNumber('tile_px', settings.tile_px, 1)
def overlap = wholeNumber('overlap_px', settings.overlap_px, 0)
if (overlap >= tile)
    stop("overlap_px=${overlap}: expected less than tile_px=${tile}; mend the command")

def part = new File(folder, '.part-' + getProjectEntry().getID())
part.deleteDir()  // left by a killed run
part.mkdirs()
try {
    writeTiles(imageData, part, classes, downsample, tile, overlap)
    def lists = part.listFiles().findAll { it.name.endsWith('-tiles.json') }
    if (lists.isEmpty()) {
        withdraw(folder)
        println "${imageName}: no tile of ${tile} pixels touches an annotation of ${classes.join(', ')}, none written"
        return
    }
    def list = lists[0]
    def count = checkTiles(list, part)
    publish(list, part, folder, imageName)
    println "${imageName}: ${count} tiles with labels ${classes} = 1 to ${classes.size()} at downsample ${downsample}"
} finally {
    part.deleteDir()
}

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

/** The classes to label, in order. QuPath itself would make an unknown name a new class, and label nothing. */
def chosenClasses(text, imageName) {
    def words = text.split(',').collect { it.trim() }.findAll { it }
    def dropped = words.findAll { it.startsWith('-') }.collect { it.substring(1) }
    def chosen = words.findAll { !it.startsWith('-') }
    def people = getAnnotationObjects().findAll { !isPrediction(it) }
    def drawn = people.collect { it.getPathClass() }.findAll { it != null }.collect { it.toString() }
    def known = (getProject().getPathClasses().collect { it.toString() } + drawn).unique()
    (chosen + dropped).each { name ->
        if (!known.contains(name))
            stop("classes: '${name}' is no class of this project; expected some of ${known.join(', ')}; " +
                "mend the name, or add it to the project's class list")
    }
    if (chosen.isEmpty() || chosen.unique(false).size() < chosen.size() || chosen.size() > 254)
        stop("classes=${text}: expected 1 to 254 different names, as in classes=Stroma,Tumor; mend the command")
    // Left out unseen, a class would become "not annotated", and what lies below it would show through.
    def forgotten = drawn.findAll { !(it in chosen) && !(it in dropped) && !it.endsWith('*') }.countBy { it }
    if (forgotten)
        stop("${imageName}: has annotations ${forgotten} that 'classes' lacks; expected each class; " +
            "add it, or leave it out with -${forgotten.keySet().first()}")
    // Left out unasked, it would let what it lies upon show through, which GeoJSON of the same image does not.
    def ignored = drawn.findAll { it.equalsIgnoreCase('Ignore*') && !(it in chosen) && !(it in dropped) }.unique().sort()
    def labels = chosen + ignored
    if (labels.size() > 254)
        stop("classes=${text}: with ${ignored.join(', ')} that makes ${labels.size()} labels; expected up to 254; " +
            'name fewer')
    return labels
}

/** Whether a model drew it, and nobody made it their own by unlocking it. */
def isPrediction(object) {
    return object.isLocked() && object.getMetadata().containsKey('histoloom')
}

/** Full-resolution pixels for each pixel of a tile, given or from the pixel size. */
def chosenDownsample(settings, imageData, imageName) {
    if (settings.downsample.isEmpty() == settings.pixel_size_um.isEmpty())
        stop("downsample=${settings.downsample} and pixel_size_um=${settings.pixel_size_um}: expected one of them; " +
            'mend the command')
    def key = settings.downsample ? 'downsample' : 'pixel_size_um'
    if (!settings[key].isDouble() || !isPositive(settings[key].toDouble()))
        stop("${key}=${settings[key]}: expected a number above 0; mend the command")
    def asked = settings[key].toDouble()
    def slide = imageData.getServer().getPixelCalibration().getAveragedPixelSizeMicrons()
    if (key == 'pixel_size_um' && !isPositive(slide))
        stop("${imageName}: has no pixel size; expected micrometres; set it in the Image tab, or give downsample=...")
    def downsample = key == 'downsample' ? asked : asked / slide
    if (downsample < 0.999)
        stop("${imageName}: ${key}=${asked} is finer than the slide (downsample ${downsample}); expected at least 1; " +
            'give a coarser one')
    return Math.max(1.0d, downsample as double)
}

/** Asked in full, since Groovy's > takes NaN, QuPath's word for an unknown pixel size, for the largest number. */
def isPositive(number) {
    return !Double.isNaN(number) && !Double.isInfinite(number) && number > 0
}

def wholeNumber(key, text, least) {
    if (!text.isInteger() || text.toInteger() < least)
        stop("${key}=${text}: expected a whole number of at least ${least}; mend the command")
    return text.toInteger()
}

/** Label images have the resolution of the tiles, and grey levels for labels: a palette would be read as colours. */
def writeTiles(imageData, part, classes, downsample, tile, overlap) {
    def labels = new LabeledImageServer.Builder(imageData)
        .useFilter { it.isAnnotation() && !isPrediction(it) }
        .backgroundLabel(0)
        .downsample(downsample)
        .multichannelOutput(false)
        .grayscale()
    classes.eachWithIndex { name, index -> labels.addLabel(name, index + 1) }
    new TileExporter(imageData)
        .downsample(downsample)
        .tileSize(tile)
        .overlap(overlap)
        .imageExtension('.png')
        .labeledImageExtension('.png')
        .labeledServer(labels.build())
        .annotatedTilesOnly(true)
        .imageSubDir('images')
        .labeledImageSubDir('labels')
        .exportJson(true)
        .writeTiles(part.path)
}

/** The number of tiles, all of them there: QuPath only logs a tile that it could not write. */
def checkTiles(list, part) {
    def tiles = read(list).getAsJsonArray('tiles').collect { it.getAsJsonObject() }
    def absent = tiles.collectMany { [it.get('image').getAsString(), it.get('labels').getAsString()] }.findAll {
        new File(part, it).length() == 0
    }
    if (absent)
        stop("${absent.size()} of ${2 * tiles.size()} files were not written, such as ${absent[0]}; expected all; " +
            'see the errors above, and check the space on that disk')
    return tiles.size()
}

/** Put the tiles into place, their list last: a list tells that its tiles are whole. */
def publish(list, part, folder, imageName) {
    def target = new File(folder, list.name)
    def id = getProjectEntry().getID()
    if (target.exists() && read(target).get('project_image')?.getAsString() != id)
        stop("${target}: is there from another image; expected image names that differ; rename ${imageName}, " +
            "or remove ${target.name}")
    def content = read(list)
    content.addProperty('base_directory', folder.absolutePath)
    content.addProperty('project_image', id)
    list.setText(GsonTools.getInstance(true).toJson(content), 'UTF-8')
    withdraw(folder)
    remove(folder, list.name)  // tiles of a run that was killed before it wrote their list
    ['images', 'labels'].each { kind ->
        def place = new File(folder, kind)
        place.mkdirs()
        new File(part, kind).listFiles().each { move(it, new File(place, it.name)) }
    }
    move(list, target)
}

/** Remove what an earlier export wrote of this image, also under another name: it is of other annotations. */
def withdraw(folder) {
    def id = getProjectEntry().getID()
    folder.listFiles().findAll {
        it.name.endsWith('-tiles.json') && read(it).get('project_image')?.getAsString() == id
    }.each { remove(folder, it.name) }
}

def remove(folder, listName) {
    def prefix = listName.substring(0, listName.length() - '-tiles.json'.length()) + ' ['
    new File(folder, listName).delete()
    ['images', 'labels'].each { kind ->
        new File(folder, kind).listFiles()?.findAll { it.name.startsWith(prefix) }?.each { it.delete() }
    }
}

/** As a JsonObject, since a Map would turn the labels 1, 2 into 1.0, 2.0. */
def read(file) {
    return GsonTools.getInstance().fromJson(file.getText('UTF-8'), JsonObject)
}

def move(from, to) {
    Files.move(from.toPath(), to.toPath(), StandardCopyOption.ATOMIC_MOVE)
}

def stop(message) {
    throw new IllegalArgumentException(message.toString())
}
