"""Where the memory of the process is limited, training and prediction say what to change (row F10)."""

from tests.faults.fault_cases import image_prediction, training

MIB = 2**20  # of limits: bytes beyond what the process has when it begins
LARGE = {"count": 1, "side": 250, "width": 16, "batch-size": 128}


def test_prediction_without_room_for_a_single_tile_says_what_to_change(stages, tmp_path):
    # That it goes on with smaller batches is proven in tests/predict/engine/test_halving.py. Under this kind of limit
    # it hardly can: oneDNN finds no room for its own code either, at any size.
    work = image_prediction(tmp_path / "case", **LARGE)
    status, said = stages.run(work.words, memory=50 * MIB)
    assert status == 1, said
    assert "error: out of memory: unet with predict.batch_size 128, tiles of 32 px" in said
    assert "Traceback" not in said
    assert work.result() == {}
    assert work.litter() == []


def test_training_says_what_to_change_and_goes_on_with_more(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case", loader_workers=0)
    work.words += ["--tile-px", 1024]
    status, said = trainer.run(work.words, memory=60 * MIB)
    assert status == 1, said
    assert "error: out of memory: unet with train.batch_size 2 in 1 part(s), tiles of 1024 px" in said
    assert "Traceback" not in said
    work.words = work.words[:-2]
    assert trainer.run(work.words)[0] == 0
    assert work.result() == undisturbed
