#pragma once

#include "kv/postgres/postgres_schema.h"
#include "kv/read_set.h"
#include "kv/write_set.h"

namespace weir::kv {

/// The call of the schema's commit function for what a transaction read and writes. Borrows nothing.
PostgresStatement commit_statement(const PostgresSchema& schema, const ReadSet& reads, const WriteSet& writes);

}  // namespace weir::kv
