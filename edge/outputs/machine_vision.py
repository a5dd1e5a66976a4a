"""Machine vision: the part of OPC 40100-1 (OPC UA for Machine Vision) that we serve, with its own names and node ids.

Facts of the model are from https://reference.opcfoundation.org/MachineVision/v100/docs and its NodeIds.csv. Fields of
its types TrimmedString, Handle and ResultStateDataType are declared as String, UInt32 and Int32, which are encoded
alike: clients built on asyncua can't resolve the former, as the core namespace has types of the same names.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncua import Node, Server, ua
from asyncua.common.manage_nodes import create_data_type, create_encoding
from asyncua.common.structures104 import new_struct_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua.server.event_generator import EventGenerator

NAMESPACE = "http://opcfoundation.org/UA/MachineVision"
KEPT_RESULTS = 100
"""So many results of each vision system can be asked for by their id."""
COMPLETED = 1
"""Of ResultStateDataType, section 12.18."""
BAD_ID = -1
"""`Error` of GetResultById when no such result is known any more."""

PREOPERATIONAL, ERROR, OPERATIONAL = ("Preoperational", 1, 5028), ("Error", 3, 5030), ("Operational", 4, 5031)
INITIALIZED, CONTINUOUS = ("Initialized", 5, 5056), ("ContinuousExecution", 8, 5059)
"""States by name, StateNumber and node id: tables 82 and 97."""

State = tuple[str, int, int]

_TYPES: dict[
    str, tuple[int, int, dict[str, str]]
] = {  # id of the type, id of its binary encoding, fields; `?` marks an optional one
    "ResultIdDataType": (3021, 5274, {"Id": "String"}),
    "JobIdDataType": (3016, 5008, {"Id": "String"}),
    "MeasIdDataType": (3015, 5006, {"Id": "String"}),
    "PartIdDataType": (3004, 5013, {"Id": "String", "Description?": "LocalizedText"}),
    "ProductIdDataType": (3003, 5224, {"Id": "String", "Description?": "LocalizedText"}),
    **{
        name: (
            node,
            encoding,
            {
                "Id": "String",
                "Version?": "String",
                "Hash?": "ByteString",
                "HashAlgorithm?": "String",
                "Description?": "LocalizedText",
            },
        )
        for name, node, encoding in (
            ("RecipeIdExternalDataType", 3002, 5002),
            ("RecipeIdInternalDataType", 3013, 5268),
            ("ConfigurationIdDataType", 3008, 5090),
        )
    },
    "ProcessingTimesDataType": (
        3005,
        5016,
        {
            "StartTime": "DateTime",
            "EndTime": "DateTime",
            "AcquisitionDuration?": "Double",
            "ProcessingDuration?": "Double",
        },
    ),
    "ResultDataType": (
        3006,
        5018,
        {
            "ResultId": "ResultIdDataType",
            "HasTransferableDataOnFile?": "Boolean",
            "IsPartial": "Boolean",
            "IsSimulated?": "Boolean",
            "ResultState": "Int32",
            "MeasId?": "MeasIdDataType",
            "PartId?": "PartIdDataType",
            "ExternalRecipeId?": "RecipeIdExternalDataType",
            "InternalRecipeId": "RecipeIdInternalDataType",
            "ProductId?": "ProductIdDataType",
            "ExternalConfigurationId?": "ConfigurationIdDataType",
            "InternalConfigurationId": "ConfigurationIdDataType",
            "JobId": "JobIdDataType",
            "CreationTime": "DateTime",
            "ProcessingTimes?": "ProcessingTimesDataType",
            "ResultContent?[]": "BaseDataType",
        },
    ),
}
_EVENT_FIELDS = {  # and the structure or the built-in type of each
    "IsPartial": "Boolean",
    "IsSimulated": "Boolean",
    "ResultState": "Int32",
    "PartId": "PartIdDataType",
    "InternalRecipeId": "RecipeIdInternalDataType",
    "InternalConfigurationId": "ConfigurationIdDataType",
    "JobId": "JobIdDataType",
    "CreationTime": "DateTime",
    "ProcessingTimes": "ProcessingTimesDataType",
    "ResultId": "ResultIdDataType",
    "ResultContent": "Variant",
}
"""Properties of ResultReadyEventType that we fill, table 112."""


@dataclass(slots=True, kw_only=True)
class Model:
    """The types, once they stand in a server; what is made of them has the namespace's index."""

    server: Server
    index: int
    structures: dict[str, Any]  # classes by the name of their type
    kinds: dict[str, Node]  # object types by name

    def make(self, name: str, **values: Any) -> Any:
        """Make a value of a structure, such as ResultDataType."""
        value = self.structures[name]()
        for key, given in values.items():
            setattr(value, key, given)
        return value


@dataclass(slots=True, kw_only=True)
class VisionSystem:
    """One VisionSystemType object: a state machine and the newest results."""

    node: Node
    current: Node
    automatic: Node
    result: Node
    ready: EventGenerator
    results: OrderedDict[str, Any] = field(default_factory=OrderedDict)
    state: State | None = None


async def declare(server: Server) -> Model:
    """Put the types into `server`."""
    index = await server.register_namespace(NAMESPACE)
    known: dict[str, ua.NodeId] = {}
    for name, (node, encoding, fields) in _TYPES.items():
        known[name] = await _declare_structure(server, index, (name, node, encoding), fields, known)
    await server.load_data_type_definitions()
    structures = {name: getattr(ua, name) for name in _TYPES}
    kinds = await _declare_objects(server, index, structures)
    return Model(server=server, index=index, structures=structures, kinds=kinds)


async def _declare_structure(
    server: Server, index: int, what: tuple[str, int, int], fields: dict[str, str], known: dict[str, ua.NodeId]
) -> ua.NodeId:
    name, node, encoding = what
    data_type = await create_data_type(
        server.nodes.base_structure_type, ua.NodeId(node, index), ua.QualifiedName(name, index)
    )
    coded = await create_encoding(data_type, ua.NodeId(encoding, index), ua.QualifiedName("Default Binary", 0))
    definition = ua.StructureDefinition()
    definition.BaseDataType = server.nodes.base_structure_type.nodeid
    definition.DefaultEncodingId = coded.nodeid
    optional = any("?" in key for key in fields)
    kind = ua.StructureType.StructureWithOptionalFields if optional else ua.StructureType.Structure
    definition.StructureType = kind
    definition.Fields = [
        new_struct_field(
            key.rstrip("?[]"),
            known.get(of) or ua.NodeId(getattr(ua.ObjectIds, of)),
            array=key.endswith("[]"),
            optional="?" in key,
        )
        for key, of in fields.items()
    ]
    await data_type.write_data_type_definition(definition)
    return data_type.nodeid


async def _declare_objects(server: Server, index: int, structures: dict[str, Any]) -> dict[str, Node]:
    async def add(parent: int | Node, name: str, node: int) -> Node:
        above = parent if isinstance(parent, Node) else server.get_node(ua.NodeId(parent))
        return await above.add_object_type(ua.NodeId(node, index), ua.QualifiedName(name, index))

    finite = ua.ObjectIds.FiniteStateMachineType
    system = await add(ua.ObjectIds.BaseObjectType, "VisionSystemType", 1003)
    machine = await add(finite, "VisionStateMachineType", 1017)
    automatic = await add(finite, "VisionAutomaticModeStateMachineType", 1021)
    management = await add(ua.ObjectIds.BaseObjectType, "ResultManagementType", 1007)
    folder = await add(ua.ObjectIds.FolderType, "ResultFolderType", 1016)
    for parent, states in ((machine, (PREOPERATIONAL, ERROR, OPERATIONAL)), (automatic, (INITIALIZED, CONTINUOUS))):
        for name, number, node in states:
            state = await parent.add_object(
                ua.NodeId(node, index),
                ua.QualifiedName(name, index),
                ua.ObjectIds.StateType,
                instantiate_optional=False,
            )
            await (await state.get_child("0:StateNumber")).write_value(ua.Variant(number, ua.VariantType.UInt32))
    event = await add(ua.ObjectIds.BaseEventType, "ResultReadyEventType", 1024)
    for name, of in _EVENT_FIELDS.items():
        if of in structures:
            node = ua.NodeId(_TYPES[of][0], index)
            await event.add_property(index, name, structures[of](), ua.VariantType.ExtensionObject, node)
        elif of == "Variant":
            await event.add_property(index, name, [], ua.VariantType.Variant, ua.NodeId(ua.ObjectIds.BaseDataType))
        else:
            kind = getattr(ua.VariantType, of)
            await event.add_property(index, name, ua.get_default_value(kind), kind)
    kind = await server.get_node(ua.NodeId(ua.ObjectIds.BaseDataVariableType)).add_variable_type(
        ua.NodeId(2002, index), ua.QualifiedName("ResultType", index), ua.NodeId(3006, index)
    )
    return {
        "VisionSystemType": system,
        "VisionStateMachineType": machine,
        "VisionAutomaticModeStateMachineType": automatic,
        "ResultManagementType": management,
        "ResultFolderType": folder,
        "ResultReadyEventType": event,
        "ResultType": kind,
    }


async def add_vision_system(model: Model, name: str) -> VisionSystem:
    """Add a vision system below Objects, in state Preoperational, without a result."""
    index, server = model.index, model.server

    async def add(parent: Node, what: str, kind: str) -> Node:
        return await parent.add_object(index, what, model.kinds[kind].nodeid, instantiate_optional=False)

    system = await add(server.nodes.objects, name, "VisionSystemType")
    machine = await add(system, "VisionStateMachine", "VisionStateMachineType")
    automatic = await add(machine, "AutomaticModeStateMachine", "VisionAutomaticModeStateMachineType")
    management = await add(system, "ResultManagement", "ResultManagementType")
    folder = await add(management, "Results", "ResultFolderType")
    result = await folder.add_variable(
        index, "Newest", model.make("ResultDataType"), ua.VariantType.ExtensionObject, datatype=ua.NodeId(3006, index)
    )
    generator = await server.get_event_generator(model.kinds["ResultReadyEventType"], system)
    made = VisionSystem(
        node=system,
        current=await machine.get_child("0:CurrentState"),
        automatic=await automatic.get_child("0:CurrentState"),
        result=result,
        ready=generator,
    )
    await _add_get_result(model, management, made)
    await show_state(model, made, PREOPERATIONAL)
    return made


async def show_state(model: Model, system: VisionSystem, state: State) -> None:
    """Show one of PREOPERATIONAL, ERROR and OPERATIONAL, and the automatic mode's state with it."""
    if state == system.state:
        return
    system.state = state
    await _write_state(model, system.current, state)
    await _write_state(model, system.automatic, CONTINUOUS if state == OPERATIONAL else INITIALIZED)


async def _write_state(model: Model, node: Node, state: State) -> None:
    name, _, node_id = state
    await node.write_value(ua.LocalizedText(name))
    await (await node.get_child("0:Id")).write_value(ua.NodeId(node_id, model.index))


async def show_result(system: VisionSystem, result: Any) -> None:
    """Show a ResultDataType as the newest, keep it, and fire ResultReady."""
    system.results[result.ResultId.Id] = result
    while len(system.results) > KEPT_RESULTS:
        system.results.popitem(last=False)
    await system.result.write_value(ua.Variant(result, ua.VariantType.ExtensionObject))
    for name in _EVENT_FIELDS:
        setattr(system.ready.event, name, getattr(result, name))
    await system.ready.trigger(message=f"result {result.ResultId.Id}")


async def _add_get_result(model: Model, management: Node, system: VisionSystem) -> None:
    """Add GetResultById, section 7.10.2.1; handles are always 0: nothing has to be released."""

    async def get_result_by_id(parent: ua.NodeId, wanted: Any, hint: Any) -> Sequence[ua.Variant]:
        del parent, hint
        found = system.results.get(wanted.Value.Id)
        error = 0 if found is not None else BAD_ID
        empty = model.make("ResultDataType")
        return [
            ua.Variant(0, ua.VariantType.UInt32),
            ua.Variant(found if found is not None else empty, ua.VariantType.ExtensionObject),
            ua.Variant(error, ua.VariantType.Int32),
        ]

    index = model.index
    inputs = [_argument("ResultId", ua.NodeId(3021, index)), _argument("Timeout", ua.NodeId(ua.ObjectIds.Int32))]
    outputs = [
        _argument("ResultHandle", ua.NodeId(ua.ObjectIds.UInt32)),
        _argument("Result", ua.NodeId(3006, index)),
        _argument("Error", ua.NodeId(ua.ObjectIds.Int32)),
    ]
    await management.add_method(index, "GetResultById", get_result_by_id, inputs, outputs)


def _argument(name: str, data_type: ua.NodeId) -> ua.Argument:
    argument = ua.Argument()
    argument.Name, argument.DataType, argument.ValueRank = name, data_type, -1
    return argument
