#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/rows.h"
#include "kv/write_set.h"

namespace weir::kv {

/// One attempt at a change. Puts and erases are buffered, are not seen by reads of the same transaction, and take
/// effect together at commit(), if every key that was read or expected still has the version it had. Scans are NOT
/// validated: who depends on a range staying as scanned takes a fence() on a guard key first. This is the weakest
/// contract that suffices; docs/data-model.md says how each engine keeps it.
///
/// Thread rule: one thread at a time. Every method may block on disk or network. Destroying an uncommitted transaction
/// drops its puts and releases its fences.
class Transaction {
 public:
  virtual ~Transaction() = default;

  /// All that the batch names, in one round trip: keys, then the rows that these lead to, then scans, each of a state
  /// at least as new as that of the ones before. Keys and linked rows are validated at commit; absence is validated if
  /// this transaction also writes the key. Scans see everything committed before they began, nothing of this
  /// transaction. Requires: of a link, `from` < keys.size(); of a scan, 0 < limit <= limits::kScanRows.
  virtual Result<ReadAnswer> read(const ReadBatch& batch) = 0;
  /// The answer to read(batch) as it was a moment ago, if the engine still knows: no round trip. All of it, absence
  /// included, is validated at commit; but what it leads to otherwise, an error above all, may be out of date, so
  /// whoever does not commit starts over with read(). Nothing: it must be read.
  virtual std::optional<ReadAnswer> recall(const ReadBatch& batch) = 0;
  /// Makes commit() fail with Conflict unless `key` has `version` by then (0: is absent). Reads nothing, costs no round
  /// trip.
  virtual void expect(std::string_view key, Version version) = 0;
  /// From the return until this transaction ends, no other transaction that validates `key` (absence included) can
  /// commit, and a scan made after it sees all that such transactions committed before. Waits for commits in flight;
  /// Conflict instead of a deadlock.
  virtual Status fence(std::string_view key) = 0;

  /// Requires: sizes within limits.h (checked at commit: TooLarge).
  virtual void put(std::string_view key, std::string_view bytes) = 0;
  virtual void erase(std::string_view key) = 0;
  /// The puts and erases so far. Valid until this transaction is destroyed, complete until its next put or erase.
  virtual const WriteSet& writes() const = 0;

  /// The version that all keys put by this transaction now have. Conflict: nothing was written, start over.
  /// MaybeCommitted: the reply was lost; run_transaction() finds out. Any other error (TooLarge, Unavailable, NoSpace):
  /// nothing was written.
  /// Durable against process death at once; against power loss as Engine::barrier() says. Ends the transaction.
  /// A transaction without puts and erases commits without validation.
  virtual Result<Version> commit() = 0;

  /// read() of one key; nothing when it is absent.
  Result<std::optional<Value>> get(std::string_view key);
  /// read() of many keys; the results are in their order.
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys);
  /// read() of a range: keys in order (descending when `reverse`), `limit` at most; a caller that got `limit` rows goes
  /// on behind the last.
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse = false);
};

/// What an engine can do beyond the contract, and its costs.
struct Capabilities {
  bool shared = false;          // several nodes may have it open at once
  bool durable_commit = false;  // a commit survives power loss without a barrier
  bool persistent = false;      // content outlives the process
};

/// An ordered map of byte strings with optimistic transactions. Thread-safe.
/// Implementations: memory/ (tests), rocksdb/ (one machine), postgres/ (shared). Conformance suite: kv/conformance.h.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::unique_ptr<Transaction> begin() = 0;
  /// Blocks: until every commit that returned before this call survives a power loss.
  virtual Status barrier() = 0;
  virtual Capabilities capabilities() const = 0;
  /// The metadata URL it was opened with, without credentials, for messages.
  virtual std::string name() const = 0;
};

/// What a new database is told of the keys that it will hold.
struct Layout {
  /// First bytes of keys whose rows come and go, or change with every operation: an engine that gains by it keeps them
  /// apart.
  Bytes short_lived{};
};

/// Opens what a metadata URL names: "rocksdb:///path" or an absolute path, "postgres://…" or "postgresql://…",
/// "memory:" (tests only). `create` makes a new database, and requires that there is none; otherwise there must be one.
/// Errors are sentences for the user: NotFound (nothing there, and how to format it), Exists, Busy (another process has
/// it open, and which one), Invalid (not a metadata URL), Unavailable (server unreachable).
/// `layout` is that of a database that is created; others know theirs.
Result<std::unique_ptr<Engine>> open_engine(const std::string& url, bool create, const Layout& layout = {});

}  // namespace weir::kv
