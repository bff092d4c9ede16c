import shutil

import pytest

from pipeline.errors import TrainingError
from trainers.base_model import base_model


def folder_of(path, weights=b"weights"):
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


def test_a_folder_is_named_by_its_content_wherever_it_lies(tmp_path):
    first = folder_of(tmp_path / "first")
    shutil.copytree(first, tmp_path / "second")
    other = folder_of(tmp_path / "other", b"other weights")
    assert base_model(str(first)).identity == base_model(str(tmp_path / "second")).identity
    assert base_model(str(first)).identity != base_model(str(other)).identity


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(TrainingError, match=f"model {tmp_path}/none: no such folder"):
        base_model(f"{tmp_path}/none")


def test_a_folder_without_a_config_is_no_model(tmp_path):
    with pytest.raises(TrainingError, match=r"it holds no config\.json"):
        base_model(str(tmp_path))


def test_a_folder_without_weights_is_no_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TrainingError, match="it holds no weights"):
        base_model(str(tmp_path))


def test_an_unknown_model_type_gets_a_suggestion():
    with pytest.raises(TrainingError, match="Did you mean 'llama'"):
        base_model({"config": {"model_type": "lama"}})


def test_a_misspelt_key_of_a_config_gets_a_suggestion():
    with pytest.raises(TrainingError, match="Did you mean 'hidden_size'"):
        base_model({"config": {"model_type": "llama", "hiden_size": 64}})


def test_a_mapping_without_config_is_refused():
    with pytest.raises(TrainingError, match="the one key `config`"):
        base_model({"hidden_size": 64})
