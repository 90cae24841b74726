#pragma once

#include <string>

#include "kv/engine.h"

namespace weir::kv {

/// The shared engine in a schema of a PostgreSQL database. Blocks on the network. A commit is durable when it returns,
/// as far as the server is set up to be. Errors as open_engine() says; they name host and database, never the password.
Result<std::unique_ptr<Engine>> open_postgres(const std::string& url, bool create, const Layout& layout = {});

/// The process is about to end: who waits for a server that is out of reach fails now, and nobody waits from now on.
/// Nothing for other engines, which have no server.
void stop_waiting_for_server(Engine& engine);

/// For how long the server has been out of reach, as far as is known; 0: it is in reach. Always 0 for other engines.
int64_t server_away_ms(Engine& engine);

}  // namespace weir::kv
