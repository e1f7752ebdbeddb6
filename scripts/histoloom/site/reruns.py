"""Which rule runs again first when a value of the config changes; what depends on it follows."""

from histoloom.study.stages.train import RUN_KEYS

NOTHING = "nothing"
# By section, or by a key of it; a key is the stronger. Checked against the rules by tests/site/test_reruns.py.
FIRST = {
    "study.name": "write_front_page",
    "study.seed": "split",
    "study.datasets": "what is new",
    "study.architectures": "what is new",
    "study.baselines": "what is new",
    "study.samples": "prepare, where the data differ",
    "datasets": "prepare",
    "datasets.<name>.obtain": NOTHING,
    "datasets.<name>.remark": "summarise",
    "architectures": "train",
    "prepare": "prepare",
    "inspect": "inspect",
    "split": "split",
    "normalise": "normalise",
    "tiles": "tiles",
    "tune": "tune",
    "tune.workers": "choose_trial",
    "tune.folds": "tune, in folds where nothing was sought yet",
    "train": "train, or tune where values are sought",
    **{f"train.{key}": NOTHING for key in RUN_KEYS},
    "augment": "train, or tune where values are sought",
    "rounds": "accept_pixels",
    "rounds.count": "judge_round",
    "rounds.patience": "judge_round",
    "rounds.parts": "divide_training",
    "rounds.draws": "divide_training",
    "rounds.weight": "train_round",
    "predict": "predict",
    "predict.method": "postprocess",
    "predict.method_options": "tune_postprocess or state_postprocess",
    "predict.min_area_px": "tune_postprocess or state_postprocess",
    "predict.tune": "tune_postprocess",
    "predict.tune_metric": "tune_postprocess or state_postprocess",
    "regions": "postprocess",
    "regions.tried": "compare_smoothing",
    "regions.tried_overlaps": "compare_smoothing",
    "evaluate": "evaluate",
    "evaluate.metrics": "summarise; evaluate, where a metric asks for facts that are not counted yet",
    "evaluate.second_annotator": "predict_annotator, then summarise",
    "evaluate.bootstrap": "summarise, and choose_trial where values are sought",
    "evaluate.published": "summarise",
    "slides": "the step of slides that reads it",
    "export": "export_weights, export_onnx or export_bundle, of what is not there yet",
    "report": "the page or figure that shows it",
    "resources": NOTHING,
    "limits": NOTHING,
}


def runs_again(key: str) -> str:
    """What runs again first when the value at a dotted key changes.

    >>> runs_again("split.scheme"), runs_again("train.nodes"), runs_again("resources.train.cores")
    ('split', 'nothing', 'nothing')
    """
    parts = key.replace("[]", "").split(".")
    for length in range(len(parts), 0, -1):
        if (found := FIRST.get(".".join(parts[:length]))) is not None:
            return found
    raise AssertionError(f"{key}: no section of it is in FIRST")
