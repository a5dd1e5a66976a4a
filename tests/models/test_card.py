"""The card inside a float ONNX file."""

from __future__ import annotations

import onnx
import pytest

from edge.errors import ModelError
from models.card import KEY, read_card, write_card
from quantize.toy import toy_card, toy_network


def test_a_card_survives_the_file() -> None:
    data = toy_network().SerializeToString()
    assert read_card(onnx.load_from_string(data), "toy") == toy_card()


def test_writing_a_card_replaces_the_old_one_and_keeps_other_metadata() -> None:
    model = toy_network()
    model.metadata_props.add(key="author", value="somebody")
    write_card(model, toy_card().model_copy(update={"name": "other"}))
    assert read_card(model, "toy").name == "other"
    assert [p.key for p in model.metadata_props] == ["author", KEY]


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_a_broken_card_is_an_error_of_ours(text: str) -> None:
    model = toy_network()
    model.metadata_props[0].value = text
    with pytest.raises(ModelError, match="toy: model card"):
        read_card(model, "toy")


def test_class_names_and_focus_are_at_hand() -> None:
    assert toy_card().class_names == ("good", "spot")
    assert toy_card().focus_id == 1


def test_a_card_without_a_task_is_of_a_semantic_network() -> None:
    model = toy_network()
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"task":"semantic","part":"",', "")
    assert "task" not in model.metadata_props[0].value
    assert read_card(model, "toy") == toy_card()


def test_a_task_that_nobody_knows_is_refused() -> None:
    model = toy_network()
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"semantic"', '"depth"')
    with pytest.raises(ModelError, match=r"toy: model card: task: .*'promptable'"):
        read_card(model, "toy")
