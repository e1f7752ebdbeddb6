"""Where the memory of the process is limited, training says what to change, and prediction takes less (row F10)."""

from tests.faults.fault_cases import image_prediction, training

MIB = 2**20
LIMITS = (400, 50)  # MiB beyond what the process has when it begins: enough, and too little for a single tile
LARGE = {"count": 1, "side": 250, "width": 16, "batch-size": 128}


def test_prediction_ends_in_the_same_bytes_or_says_what_to_change(stages, tmp_path):
    # That it goes on with smaller batches is proven in tests/predict/engine/test_halving.py. Under this kind of limit
    # it hardly can: oneDNN finds no room for its own code either, at any size.
    undisturbed = image_prediction(tmp_path / "undisturbed", **LARGE)
    assert stages.run(undisturbed.words)[0] == 0
    for limit in LIMITS:
        work = image_prediction(tmp_path / str(limit), **LARGE)
        status, said = stages.run(work.words, memory=limit * MIB)
        assert "Traceback" not in said
        if status == 0:
            assert work.result() == undisturbed.result()
        else:
            assert status == 1, said
            assert "error: out of memory: unet with predict.batch_size 128, tiles of 32 px" in said
            assert work.result() == {}
            assert work.litter() == []
    assert status == 1


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
