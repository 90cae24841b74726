#pragma once

/// What `weir format` makes in a schema, as SQL; @ stands for the schema's name. docs/postgresql.md explains it.
namespace weir::kv::sql {

extern const char* const kTables[5];
extern const char* const kFunctions[2];

}  // namespace weir::kv::sql
