"""Decodes the profile on stdin, compressed with gzip, with Google's own protobuf, and writes what is in it as JSON."""
import gzip
import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# https://github.com/google/pprof/blob/main/proto/profile.proto: what follows a * is repeated.
MESSAGES = {
    "Profile": "sample_type=1:*ValueType sample=2:*Sample mapping=3:*Mapping location=4:*Location function=5:*Function "
    "string_table=6:*string drop_frames=7:int64 keep_frames=8:int64 time_nanos=9:int64 duration_nanos=10:int64 "
    "period_type=11:ValueType period=12:int64 comment=13:*int64 default_sample_type=14:int64",
    "ValueType": "type=1:int64 unit=2:int64",
    "Sample": "location_id=1:*uint64 value=2:*int64 label=3:*Label",
    "Label": "key=1:int64 str=2:int64 num=3:int64 num_unit=4:int64",
    "Mapping": "id=1:uint64 memory_start=2:uint64 memory_limit=3:uint64 file_offset=4:uint64 filename=5:int64 "
    "build_id=6:int64 has_functions=7:bool has_filenames=8:bool has_line_numbers=9:bool has_inline_frames=10:bool",
    "Location": "id=1:uint64 mapping_id=2:uint64 address=3:uint64 line=4:*Line is_folded=5:bool",
    "Line": "function_id=1:uint64 line=2:int64",
    "Function": "id=1:uint64 name=2:int64 system_name=3:int64 filename=4:int64 start_line=5:int64",
}
TYPES = {"int64": 3, "uint64": 4, "bool": 8, "string": 9}

file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")
for name, fields in MESSAGES.items():
    message = file.message_type.add(name=name)
    for field in fields.split():
        field_name, rest = field.split("=")
        number, type_name = rest.split(":")
        added = message.field.add(name=field_name, number=int(number), label=3 if type_name[0] == "*" else 1)
        type_name = type_name.lstrip("*")
        if type_name in TYPES:
            added.type = TYPES[type_name]
        else:
            added.type, added.type_name = 11, f".{file.package}.{type_name}"
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
descriptor = pool.FindMessageTypeByName(f"{file.package}.Profile")
# Releases before 4.22 have the other one.
if hasattr(message_factory, "GetMessageClass"):
    profile = message_factory.GetMessageClass(descriptor)()
else:
    profile = message_factory.MessageFactory(pool).GetPrototype(descriptor)()
profile.ParseFromString(gzip.decompress(sys.stdin.buffer.read()))

text = profile.string_table
value_type = lambda value: f"{text[value.type]}/{text[value.unit]}"
functions = {function.id: text[function.name] for function in profile.function}
mappings = {
    mapping.id: {
        "start": hex(mapping.memory_start),
        "limit": hex(mapping.memory_limit),
        "offset": hex(mapping.file_offset),
        "file": text[mapping.filename],
        "buildId": text[mapping.build_id],
    }
    for mapping in profile.mapping
}
locations = {
    location.id: {
        "address": hex(location.address),
        "functions": [functions[line.function_id] for line in location.line],
        "mapping": mappings[location.mapping_id] if location.mapping_id else None,
    }
    for location in profile.location
}
assert text[0] == "", "the first string is empty"
json.dump(
    {
        "sampleTypes": [value_type(value) for value in profile.sample_type],
        "defaultSampleType": text[profile.default_sample_type],
        "periodType": value_type(profile.period_type),
        "period": profile.period,
        "beganNanos": str(profile.time_nanos),
        "durationNanos": profile.duration_nanos,
        "comments": [text[comment] for comment in profile.comment],
        "unknownFields": len(profile.UnknownFields()) if hasattr(profile, "UnknownFields") else 0,
        "samples": [
            {
                "values": list(sample.value),
                "labels": {text[label.key]: text[label.str] for label in sample.label},
                "frames": [locations[location] for location in sample.location_id],
            }
            for sample in profile.sample
        ],
    },
    sys.stdout,
)
