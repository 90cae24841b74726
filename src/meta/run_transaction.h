#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "kv/engine.h"
#include "meta/volume.h"

/// The one retry loop over the metadata engine (docs/data-model.md, "run_transaction").
namespace weir::meta {

/// What one attempt at a mutation works with.
struct Attempt {
  /// What the transaction reads, or, in the first attempt, what it recalls (kv::Transaction::recall): then whatever the
  /// attempt comes to but success is not believed, and it is made again.
  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch);

  kv::Transaction& transaction;
  uint32_t slot = 0;      // the attempt writes the `T` rows of this slot, so that no two threads write the same
  Bytes reply;            // recorded with the request: what the result can be rebuilt from
  uint64_t epoch = 0;     // of this node: the attempt commits only if it is a member with this epoch still
  uint64_t fencings = 0;  // Membership::fencings
  std::vector<InodeId> directories{};  // whose `T` rows of this slot the attempt writes
  bool may_recall = false;
  bool has_recalled = false;
};
/// Reads, checks and buffers changes. An error ends the operation with nothing done; Conflict starts it over. May run
/// many times, so it begins with a clean slate each time.
using Body = std::function<Status(Attempt&)>;

/// Runs `body` until it commits, once, whatever conflicts and lost replies there are. Nothing: what the last run of
/// `body` left in its captured variables is the result. A value: the request was done before, in an earlier life of
/// this node, and this is the reply it recorded then. Errors: those of the body and the engine; Unavailable after
/// limits::kTransactionAttempts; Unsupported when the volume has been upgraded to a format this program may not write.
/// Blocks.
Result<std::optional<Bytes>> run_transaction(Volume& volume, RequestId request, const Body& body);

/// The same for changes that may as well happen twice, and before there are slots. The version they were written with.
Result<kv::Version> run_repeatable(kv::Engine& engine, Clock& clock, Random& random,
                                   const std::function<Status(kv::Transaction&)>& body);

}  // namespace weir::meta
