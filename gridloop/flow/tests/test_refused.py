"""Diagrams that must not run, and that the refusal names the element."""

from __future__ import annotations

import pytest

from gridloop.flow.diagram import local
from gridloop.flow.engine import load_process
from gridloop.flow.memory import Notes
from gridloop.flow.rules import ProcessFault
from gridloop.flow.spiff import CelScriptEngine
from gridloop.flow.tests.diagrams import STANDARD, TASK, draw, line
from gridloop.flow.xml_words import plain, words_of
from gridloop.kernel.expressions import Expression, ExpressionFault
from gridloop.kernel.texts import all_texts, say

ASK = f'<bpmn:userTask id="ask" {TASK} />'
LOST = ASK.replace('"ask"', '"lost"')
BAD_FORM = "<bpmn:extensionElements><gridloop:form>{</gridloop:form></bpmn:extensionElements>"
CALL = '<bpmn:serviceTask id="tell" gridloop:operation="notify">%s</bpmn:serviceTask>'


def extended(inner: str) -> str:
    return CALL % f"<bpmn:extensionElements>{inner}</bpmn:extensionElements>"


def asking(form: str) -> bytes:
    return line(
        ASK.replace(" />", f"><bpmn:extensionElements><gridloop:form>{form}</gridloop:form></bpmn:extensionElements></bpmn:userTask>")
    )


WRONG = [
    ("flow.script", "work", line('<bpmn:scriptTask id="work"><bpmn:script>import os</bpmn:script></bpmn:scriptTask>')),
    ("flow.script", "rule", line('<bpmn:businessRuleTask id="rule" />')),
    ("flow.script", "tell", line('<bpmn:serviceTask id="tell" gridloop:operation="notify" implementation="os.system" />')),
    ("flow.foreign", "tell", line('<bpmn:serviceTask id="tell" gridloop:operation="notify" camunda:expression="${x}" />')),
    ("flow.foreign", "tell", line(extended('<camunda:executionListener class="Evil" />'))),
    ("flow.unsupported", "tell", line(extended('<gridloop:run code="x" />'))),
    ("flow.unsupported", "sub", line('<bpmn:callActivity id="sub" calledElement="x" />')),
    ("flow.expression", "tell", line(extended("""<gridloop:with name="x" value="__import__('os').system('x')" />"""))),
    ("flow.expression", "tell", line(extended('<gridloop:with name="x" value="nobody.knows" />'))),
    ("flow.expression", "tell", line(extended('<gridloop:with name="x" value="1 +" />'))),
    ("flow.set_name", "tell", line(extended('<gridloop:set name="x" value="1" />'))),
    ("flow.missing", "ask", line('<bpmn:userTask id="ask" gridloop:stage="intake" gridloop:verbs="accept" />')),
    ("flow.missing", "ask", line('<bpmn:userTask id="ask" gridloop:performer="lead" gridloop:verbs="accept" />')),
    ("flow.attribute", "ask", line(ASK.replace("duty:intake", "城管局"))),
    ("flow.attribute", "ask", line(ASK.replace('"accept"', '"accept dance"'))),
    ("flow.unknown_attribute", "ask", line(ASK.replace("gridloop:stage", 'gridloop:colour="red" gridloop:stage'))),
    (
        "flow.form",
        "ask",
        line(ASK.replace(" />", f">{BAD_FORM}</bpmn:userTask>")),
    ),
    ("flow.form_photos", "ask", asking('{"x-photos": [{"kind": "selfie", "title": "自拍"}]}')),
    ("flow.form_from", "ask", asking('{"properties": {"who": {"type": "string", "x-from": "person"}}}')),
    ("flow.many", "ask", line(ASK.replace(" />", "><bpmn:multiInstanceLoopCharacteristics /></bpmn:userTask>"))),
    ("flow.end_name", "finished", line(ASK).replace(b'"closed"', b'"finished"')),
    (
        "flow.unreachable",
        "lost",
        draw(
            f'<bpmn:startEvent id="start" />{LOST}<bpmn:endEvent id="closed" />'
            '<bpmn:sequenceFlow id="f" sourceRef="start" targetRef="closed" />'
            '<bpmn:sequenceFlow id="g" sourceRef="lost" targetRef="closed" />'
        ),
    ),
    ("flow.dead_end", "start", draw(f'<bpmn:startEvent id="start" />{ASK}<bpmn:sequenceFlow id="f" sourceRef="start" targetRef="ask" />')),
    ("flow.start", "small", draw(f'{ASK}<bpmn:endEvent id="closed" />')),
    ("flow.default", "check_result", STANDARD.replace(b' default="to_rework_from_check_result"', b"")),
    ("flow.no_shape", "closed", STANDARD.replace(b'bpmnElement="closed"', b'bpmnElement="close"')),
    ("flow.root", "definitions", b"<html></html>"),
    ("flow.doctype", "definitions", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
    ("flow.xml", "definitions", b"not xml"),
    ("flow.too_large", "definitions", b" " * 1_000_001),
]


@pytest.mark.parametrize(("key", "element", "xml"), WRONG, ids=[f"{k}-{e}-{n}" for n, (k, e, _) in enumerate(WRONG)])
def test_refused_with_file_and_element(key: str, element: str, xml: bytes) -> None:
    name = "standard_case.bpmn" if b'"standard_case"' in xml else "small.bpmn"
    with pytest.raises(ProcessFault) as refused:
        load_process(xml, name)
    assert (refused.value.key, refused.value.element, refused.value.file) == (key, element, name)
    assert key in all_texts()


# What the libraries find, how they begin to say it, and how we say it
LIBRARY: list[tuple[str, int, str, bytes]] = [
    ("definitions", 1, "flow.xml_empty", b""),
    ("definitions", 1, "flow.xml_none", b"not xml"),
    ("definitions", 5, "flow.xml_extra", b"<a>\n\n\n</a>\n<b/>"),
    ("definitions", 3, "flow.xml_open", b"<a>\n<b>\n"),
    ("definitions", 3, "flow.xml_mismatch", b"<a>\n<b>\n</c></a>"),
    ("definitions", 2, "flow.xml_comment", b"<a>\n<!-- a"),
    ("definitions", 2, "flow.xml_amp", b"<a>\na & b</a>"),
    ("definitions", 2, "flow.xml_less", b'<a>\n<b c="1 < 2"/></a>'),
    ("definitions", 2, "flow.xml_twice", b'<a>\n<b c="1" c="2"/></a>'),
    ("definitions", 2, "flow.xml_quotes", b"<a>\n<b c=1/></a>"),
    ("definitions", 2, "flow.xml_quotes", b'<a>\n<b c"1"/></a>'),
    ("definitions", 2, "flow.xml_prefix", b'<a>\n<b gridloop:c="1"/></a>'),
    ("definitions", 2, "flow.xml_utf8", b"<a>\n\xff\xfe</a>"),
    ("ask", 4, "flow.unknown_attribute", line(ASK.replace('id="ask"', 'id="ask" colour="red"'))),
    ("small", 4, "flow.xml_text", line(ASK).replace(b"<bpmn:startEvent", b"hello<bpmn:startEvent", 1)),
    ("small", 4, "flow.xml_place", line(ASK).replace(b"<bpmn:startEvent", b"<bpmn:incoming>f</bpmn:incoming><bpmn:startEvent", 1)),
    ("small", 4, "flow.attribute", line(ASK).replace(b'isExecutable="true"', b'isExecutable="yes"')),
    ("ask", 4, "flow.xml_id", line(ASK).replace(b'id="closed"', b'id="ask"')),
    ("ask", 4, "flow.attribute", line(ASK.replace(" />", '><bpmn:multiInstanceLoopCharacteristics behavior="x" /></bpmn:userTask>'))),
    ("zz", 4, "flow.missing", line('<bpmn:sequenceFlow id="zz" sourceRef="start" />')),
]


@pytest.mark.parametrize(("element", "at", "key", "xml"), LIBRARY, ids=[f"{key}-{n}" for n, (_, _, key, _) in enumerate(LIBRARY)])
def test_what_the_libraries_find_is_told_in_the_reader_s_language(element: str, at: int, key: str, xml: bytes) -> None:
    """With its place; the library's words stand behind it, without addresses of namespaces."""
    with pytest.raises(ProcessFault) as refused:
        load_process(xml, "small.bpmn")
    fault = refused.value
    assert (fault.key, fault.element, fault.line, fault.params["what"].key) == ("flow.xml", element, at, key)
    for lang in ("zh", "en"):
        what = fault.params["what"].said(lang)
        assert "{" not in what.replace("{'", "")
        assert len(fault.params["detail"]) < 220
        told = say(fault.key, lang, **fault.params)
        assert what in told
        assert "http" not in told


def test_words_nobody_has_foreseen_are_kept() -> None:
    assert words_of("something new\nand more").key == "flow.xml_other"
    assert plain("something new\nand more") == "something new"
    assert plain("") == ""
    assert len(plain("x" * 1000)) == 201


def test_file_name_is_the_process_id() -> None:
    with pytest.raises(ProcessFault, match="one_process"):
        load_process(STANDARD, "other.bpmn")


def test_engine_cannot_execute() -> None:
    engine = CelScriptEngine({}, {}, Notes())
    with pytest.raises(ExpressionFault):
        engine.execute(None, "import os")
    with pytest.raises(ExpressionFault):
        engine.call_service(None)
    with pytest.raises(ExpressionFault):
        engine.evaluate(None, "1+1")


@pytest.mark.parametrize("source", ["__import__('os').system('x')", "open('/etc/passwd')", "a" * 600, "", "x ==", "''.__class__()"])
def test_expression_refused(source: str) -> None:
    with pytest.raises(ExpressionFault):
        Expression(source, ("x",))


def test_expression_values() -> None:
    assert Expression("data.plate", ("data",)).value({"data": {"plate": "浙A12345"}}) == "浙A12345"
    assert Expression("xs.exists(x, x > 1)", ("xs",)).holds({"xs": [1, 2]})
    with pytest.raises(ExpressionFault):
        Expression("1 + 1").holds({})
    with pytest.raises(ExpressionFault):
        Expression("value / 0", ("value",)).value({"value": 1})


def test_small_diagram_runs() -> None:
    process = load_process(line(ASK), "small.bpmn")
    step = process.start({"case": {}})
    assert process.complete(step.state, step.opened[0].ref, {}).ended == "closed"
    assert local(process._diagram.tree) == "definitions"
