#pragma once

#include <string>

#include "kv/engine.h"

namespace weir::kv {

/// The shared engine in a schema of a PostgreSQL database. Blocks on the network. A commit is durable when it returns,
/// as far as the server is set up to be. Errors as open_engine() says; they name host and database, never the password.
Result<std::unique_ptr<Engine>> open_postgres(const std::string& url, bool create, const Layout& layout = {});

}  // namespace weir::kv
