#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace weir::kv {

/// Identifies one state of one key. Never used twice in the life of a database, so that a key which went away and came
/// back does not look unchanged. 0 is the version of an absent key.
using Version = uint64_t;

struct Value {
  Bytes bytes;
  Version version = 0;
};

struct KeyValue {
  Bytes key;
  Bytes bytes;
  Version version = 0;
};

/// Half-open range of keys in byte order. Empty `end` means: to the last key.
struct KeyRange {
  Bytes begin;
  Bytes end;
  /// All keys that start with `prefix`.
  static KeyRange prefix(std::string_view prefix);
};

/// One attempt at a change. Puts and erases are buffered, are not seen by reads of the same transaction, and take
/// effect together at commit(), if every key that was read with get(), get_many() or expect() still has the version it
/// had. Scans are NOT validated: who depends on a range staying as scanned takes a fence() on a guard key first. This
/// is the weakest contract that suffices; docs/data-model.md says how each engine keeps it.
///
/// Thread rule: one thread at a time. Every method may block on disk or network. Destroying an uncommitted transaction
/// drops its puts and releases its fences.
class Transaction {
 public:
  virtual ~Transaction() = default;

  /// Nothing when the key is absent. Validated at commit; absence is validated if this transaction also writes the key.
  virtual Result<std::optional<Value>> get(std::string_view key) = 0;
  /// The same for many keys in one round trip; the results are in the order of `keys`.
  virtual Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) = 0;
  /// Makes commit() fail with Conflict unless `key` has `version` by then (0: is absent). Reads nothing, costs no round
  /// trip.
  virtual void expect(std::string_view key, Version version) = 0;
  /// Keys in order (descending when `reverse`), `limit` at most; a caller that got `limit` rows goes on behind the
  /// last. Sees everything committed before it began, nothing of this transaction. Requires: 0 < limit <=
  /// limits::kScanRows.
  virtual Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse = false) = 0;
  /// From the return until this transaction ends, no other transaction that validates `key` (absence included) can
  /// commit, and a scan made after it sees all that such transactions committed before. Waits for commits in flight;
  /// Conflict instead of a deadlock.
  virtual Status fence(std::string_view key) = 0;

  /// Requires: sizes within limits.h (checked at commit: TooLarge).
  virtual void put(std::string_view key, std::string_view bytes) = 0;
  virtual void erase(std::string_view key) = 0;

  /// The version that all keys put by this transaction now have. Conflict: nothing was written, start over.
  /// MaybeCommitted: the reply was lost; run_transaction() finds out. Any other error (TooLarge, Unavailable, NoSpace):
  /// nothing was written.
  /// Durable against process death at once; against power loss as Engine::barrier() says. Ends the transaction.
  /// A transaction without puts and erases commits without validation.
  virtual Result<Version> commit() = 0;
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

/// Opens what a metadata URL names: "rocksdb:///path" or an absolute path, "postgres://…" or "postgresql://…",
/// "memory:" (tests only). `create` makes a new database, and requires that there is none; otherwise there must be one.
/// Errors are sentences for the user: NotFound (nothing there, and how to format it), Exists, Busy (another process has
/// it open, and which one), Invalid (not a metadata URL), Unavailable (server unreachable).
Result<std::unique_ptr<Engine>> open_engine(const std::string& url, bool create);

}  // namespace weir::kv
