"""Reads synthesised templates: intrinsic functions become text, and a role's statements are found by its function."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

Json = dict[str, Any]


class Template:
    """One stack's template; `<Label:LogicalId.Attribute>` stands for a reference, also across stacks."""

    def __init__(self, label: str, file: Path, exports: dict[str, Any] | None = None) -> None:
        self.label = label
        self.body: Json = json.loads(file.read_text())
        self._imports = exports or {}

    @property
    def outputs(self) -> Json:
        return dict(self.render(self.body.get("Outputs", {})))

    @property
    def exports(self) -> Json:
        """Exported name → what it stands for."""
        return {out["Export"]["Name"]: out["Value"] for out in self.outputs.values() if "Export" in out}

    def resources(self, kind: str) -> dict[str, Json]:
        """`<Label:LogicalId>` → properties."""
        found = {name: body for name, body in self.body["Resources"].items() if body["Type"] == kind}
        return {f"<{self.label}:{name}>": self.render(body.get("Properties", {})) for name, body in found.items()}

    def render(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.render(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref":
                return f"<{argument}>" if argument.startswith("AWS::") else f"<{self.label}:{argument}>"
            if name == "Fn::GetAtt":
                return f"<{self.label}:{argument[0]}.{argument[1]}>"
            if name == "Fn::ImportValue":
                return self._imports[argument]
            if name == "Fn::Join":
                return argument[0].join(str(part) for part in self.render(argument[1]))
        return {key: self.render(item) for key, item in value.items()}


@dataclass(frozen=True)
class Stage:
    """The two stacks that every synthesised stage has."""

    folder: Path
    name: str

    @cached_property
    def data(self) -> Template:
        return Template("Data", self.folder / f"Callscribe-{self.name}-Data.template.json")

    @cached_property
    def app(self) -> Template:
        return Template("App", self.folder / f"Callscribe-{self.name}-App.template.json", self.data.exports)

    def resources(self, kind: str) -> dict[str, Json]:
        return self.data.resources(kind) | self.app.resources(kind)

    @cached_property
    def functions(self) -> dict[str, Json]:
        """Lambda functions by folder name, with their reference added as `self`."""
        found = {}
        for reference, function in self.resources("AWS::Lambda::Function").items():
            name = function["Description"].removeprefix("callscribe: ").replace(" ", "_")
            found[name] = function | {"self": reference}
        return found

    def statements(self, role: str) -> list[Json]:
        """The statements of a role (`<Label:Id>`), its attached policies included."""
        policies = [p for p in self.resources("AWS::IAM::Policy").values() if role in p["Roles"]]
        documents = [policy["PolicyDocument"] for policy in policies]
        documents += [p["PolicyDocument"] for p in self.resources("AWS::IAM::Role")[role].get("Policies", [])]
        return [statement for document in documents for statement in document["Statement"]]

    def grants(self, role: str) -> set[tuple[str, str]]:
        """(action, resource) pairs of a role."""
        return {
            (action, resource)
            for statement in self.statements(role)
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }

    def function_grants(self, name: str) -> set[tuple[str, str]]:
        return self.grants(role_of(self.functions[name]["Role"]))

    def output(self, name: str) -> str:
        return str(self.app.outputs[name]["Value"])


@dataclass(frozen=True)
class WithStack(Stage):
    """A stage with a third stack, which a subclass names by its `label`."""

    label: ClassVar[str]

    @cached_property
    def own(self) -> Template:
        file = self.folder / f"Callscribe-{self.name}-{self.label}.template.json"
        return Template(self.label, file, self.data.exports | self.app.exports)

    def resources(self, kind: str) -> dict[str, Json]:
        return super().resources(kind) | self.own.resources(kind)

    def one(self, kind: str) -> Json:
        """The only one of its kind in the third stack."""
        (found,) = self.own.resources(kind).values()
        return found


class WithGpu(WithStack):
    """A stage with its pool of workers."""

    label = "Gpu"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role_of(arn: str) -> str:
    """`<App:Role.Arn>` → `<App:Role>`."""
    return arn.replace(".Arn>", ">")


def arn_of(reference: str) -> str:
    """`<App:Queue>` → `<App:Queue.Arn>`."""
    return reference.replace(">", ".Arn>")
