"""What each of the small studies has to show, each by files and values of its report."""

from tests.studies.promises import Promise, above, animations, files, restarts, rows, scores, versions, words

FLOORS = ("all_background", "haematoxylin_otsu")
NECROSIS, HNSCC = "necrosis_small/deeplabv3_resnet50", "hnscc_small/unet_efficientnet_b0"
HNSCC_GIF = "hnscc_gif_small/unet_efficientnet_b0"
PANNUKE = ("deeplabv3_resnet101", "unet", "inception_unet", "refinenet", "best_recipe")
CONVENTIONS = ("pq", "pq@pannuke", "pq@pooled", "pq@strict")
SLIDE = "slides/tcga_cr_7395_01a_01_ts1"


def every_study(name: str, dataset: str) -> list[Promise]:
    """What all studies have: a report that answers, tables, an inspection, animations."""
    return [
        files("report", f"{name}_small.html"),
        words("front page", f"report/{name}_small/front.rst", dataset),
        files("inspection page", f"{dataset}/inspection/page.html"),
        files("NumPy store, of each fold where it is normalised", f"{dataset}/**/tiles/*.npy", 2),
        rows("comparison with intervals", f"{dataset}/comparison.csv", 1),
        files("animations of epochs", f"{dataset}/*/fold*/epochs.gif"),
        files("confusion matrices", f"{dataset}/figures/confusion_*.png"),
        files("example predictions", f"{dataset}/figures/examples_*.png"),
        files("model cards", f"{dataset}/figures/card_*.md"),
    ]


PROMISED = {
    "necrosis": [
        *every_study("necrosis", "necrosis_small"),
        scores(
            "R2 and accuracy, with floors beside them",
            "necrosis_small",
            ("deeplabv3_resnet50", *FLOORS),
            ("r2", "r2@pooled", "accuracy", "accuracy@pooled", "balanced_accuracy", "brier_skill"),
        ),
        rows("training in two folds", f"{NECROSIS}/fold*/history.csv", 2),
        files("versions of tiles as augmented", "necrosis_small/figures/augmentations_*.png"),
        rows("trials of Optuna in each fold", f"{NECROSIS}/fold*/tuning/trials.csv", 3),
        files("the best values as data", f"{NECROSIS}/fold*/tuning/tuned.json", 2),
        files("pictures of the search", "necrosis_small/figures/tuning_*.png", 2),
        words("two processes", "report/necrosis_small/config.yaml", "processes_per_node: 2"),
    ],
    "hnscc": [
        *every_study("hnscc", "hnscc_small"),
        words("four classes", "hnscc_small/prepared/dataset.json", "background", "tumour", "stroma", "necrosis"),
        words("class refinement told", "hnscc_small/prepared/dataset.json", "Tumor: tumour"),
        scores("IoU first", "hnscc_small", ("unet_efficientnet_b0",), ("iou",), ("mean", "tumour", "stroma")),
        rows("ways of smoothing at two overlaps", f"{HNSCC}/fold*/smoothing_tried.csv", 6),
        files("stain normalisation", "hnscc_small/fold*/normalised/reference.npz", 2),
        rows("accepted pixels of a round", f"{HNSCC}/fold*/rounds/round1/drift.csv", 1),
        files("verdict on the round", f"{HNSCC}/fold*/rounds/round1/verdict.json", 2),
        files("page of the rounds", "hnscc_small/figures/rounds_unet_efficientnet_b0.html"),
        files("model for others", f"{HNSCC}/export/weights"),
        files("slide to QuPath", f"{SLIDE}/{HNSCC}/regions.geojson.gz"),
        files("slide as OME-TIFF", f"{SLIDE}/{HNSCC}/classes.ome.tif"),
        rows("areas of the slide", f"{SLIDE}/{HNSCC}/areas.csv", 1),
    ],
    "hnscc_gif": [
        *every_study("hnscc_gif", "hnscc_gif_small"),
        animations("a frame for each epoch, of six tiles", f"{HNSCC_GIF}/fold0/epochs.gif", 6),
        rows("frames enough to see it learn", f"{HNSCC_GIF}/fold0/history.csv", 8),
        words("its own score", "hnscc_gif_small/summary.csv", "unet_efficientnet_b0,model,iou,mean"),
        words("five frames a second", "report/hnscc_gif_small/config.yaml", "frames_per_second: 5.0"),
        words("no round", "report/hnscc_gif_small/config.yaml", "count: 0"),
    ],
    "brecahad": [
        *every_study("brecahad", "brecahad_small"),
        scores(
            "accuracy, Dice, IoU by cases",
            "brecahad_small",
            ("unet", *FLOORS, "U-Net of the original study"),
            ("accuracy", "dice"),
        ),
        scores("IoU by cases", "brecahad_small", ("unet",), ("iou",)),
        scores("the split by images", "brecahad_small_image_wise", ("unet", *FLOORS), ("accuracy", "dice", "iou")),
        rows(
            "its leak as a finding", "brecahad_small_image_wise/inspection/fold_findings.csv", 1, kind="groups_parted"
        ),
        rows("its leak in every row", "brecahad_small_image_wise/summary.csv", 20, definition="groups are parted"),
        words(
            "by how much it flatters",
            "report/brecahad_small/front.rst",
            "Against brecahad_small, the same images with groups kept whole",
        ),
        versions("16 versions of each window", "brecahad_small", "unet", 16, 8),
        words("discs of 20 px", "brecahad_small/prepared/dataset.json", '"radius_px": 20'),
    ],
    "cryonuseg": [
        *every_study("cryonuseg", "cryonuseg_small"),
        scores(
            "nuclei, counts and Boolean analysis, with floors and the human ceiling",
            "cryonuseg_small",
            ("unet_small", "unet", "haematoxylin_otsu", "second_annotator"),
            ("pq", "aji", "dice", "precision", "recall", "specificity", "count_error"),
        ),
        scores("published figures", "cryonuseg_small", ("U-Net of the dataset's paper",), ("aji", "pq")),
        rows("agreement of counts", "cryonuseg_small/summary.csv", 2, metric="count@bias"),
        rows("Boolean analysis of pixels", "cryonuseg_small/figures/agreement_*.csv", 3, of="pixels"),
        files("standardisation", "cryonuseg_small/fold*/colours.json", 2),
    ],
    "pannuke": [
        *every_study("pannuke", "pannuke_small"),
        scores("mPQ and bPQ in all conventions", "pannuke_small", PANNUKE, CONVENTIONS, ("mean", "foreground")),
        scores("published mPQ and bPQ", "pannuke_small", ("HoVer-Net",), ("pq@pannuke",), ("mean", "foreground")),
        files("three rotations of each network", "pannuke_small/*/fold[012]/model.safetensors", 3 * len(PANNUKE)),
        above("pixels of nuclei are found", "pannuke_small", "best_recipe", "dice", 0.45),
        above("single nuclei are found", "pannuke_small", "best_recipe", "pq", 0.1),
        rows("scores by tissue", "pannuke_small/strata.csv", len(PANNUKE)),
        restarts("warm restarts", "pannuke_small/inception_unet/fold*/history.csv"),
        words("hybrid loss", "report/pannuke_small/config.yaml", "2*bce + 2*dice + iou"),
    ],
}
