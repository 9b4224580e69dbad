"""Calls of functions: their names, how many arguments, and of which kinds."""

from __future__ import annotations

from core.targeting.catalogue import Kind
from core.targeting.checked import Checker
from core.targeting.errors import BAD_VALUE, SYNTAX, UNKNOWN_FUNCTION, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.functions import FORMER, FUNCTIONS, Function, Parameter
from core.targeting.language import Call, Condition, Literal
from core.targeting.shortcuts import SHORTCUTS
from core.targeting.value_checks import a, check_common, described, named


def check_call(checker: Checker, node: Call, depth: int) -> Kind:
    function = FUNCTIONS.get(node.function)
    if function is None:
        raise ExpressionError(
            f"unknown function {shown(node.function)}", code=UNKNOWN_FUNCTION, place=node.place,
            found=shown(node.function), expected="a saved filter, or one of " + " ".join([*FUNCTIONS, *SHORTCUTS]),
            suggestion=FORMER.get(node.function.lower()) or closest(node.function, [*FUNCTIONS, *SHORTCUTS]),
        )  # fmt: skip
    parameters = function.expects(len(node.arguments))
    if parameters is None:
        raise ExpressionError(
            f"the function {node.function} has the wrong number of arguments", code=SYNTAX,
            place=node.place, found=str(len(node.arguments)), expected=function.signature,
        )  # fmt: skip
    kinds = [
        _argument(checker, function, argument, parameter, depth + 1)
        for argument, parameter in zip(node.arguments, parameters, strict=True)
    ]
    groups: dict[str, list[Kind]] = {}
    for argument, parameter, kind in zip(node.arguments, parameters, kinds, strict=True):
        if parameter.group is not None:
            groups.setdefault(parameter.group, []).append(kind)
            check_common(f"the function {node.function}", groups[parameter.group], argument)
    return function.kind(kinds)


def _argument(checker: Checker, function: Function, node: Condition, parameter: Parameter, depth: int) -> Kind:
    kind = checker.argument(node, depth)
    if kind not in parameter.takes:
        raise ExpressionError(
            f"the function {function.name} does not work with {a(kind)}", code=WRONG_TYPE,
            place=node.place, found=described(node, kind),
            expected=" or ".join(a(kind) for kind in Kind if kind in parameter.takes),
        )  # fmt: skip
    if not parameter.constant:
        return kind
    if not isinstance(node, Literal):
        raise ExpressionError(
            f"{parameter.name} of {function.name} is written down", code=WRONG_TYPE, place=node.place,
            found=named(node), expected="a value",
        )  # fmt: skip
    wanted = parameter.refuse(node.value)
    if wanted is not None:
        raise ExpressionError(
            f"{parameter.name} of {function.name} cannot be {shown(node.value)}", code=BAD_VALUE, place=node.place,
            found=shown(node.value), expected=wanted,
        )  # fmt: skip
    return kind
