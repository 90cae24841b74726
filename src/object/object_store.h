#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/sha256.h"
#include "object/payload.h"

namespace weir::object {

struct ObjectInfo {
  uint64_t size = 0;
  int64_t modified_ns = 0;             // by the store's own clock
  std::optional<Sha256Digest> sha256;  // from head(), where the store keeps what it checked when it took the object
};

struct ListedObject {
  std::string name;
  ObjectInfo info;
};

struct ListPage {
  std::vector<ListedObject> objects;  // in byte order of names
  bool more = false;                  // go on with `after` = the last name
};

/// Named immutable byte strings that outlive every node. Names are checked by check_object_name() (object_name.h), and
/// no name may be another one followed by '/'. Nothing here knows what the bytes mean: callers check them against their
/// ids, since a store may be hostile.
///
/// Thread-safe. Every method blocks on disk or network, and may fail with Unavailable (out of reach now, the sentence
/// names the store), Throttled (the store asks for fewer requests), Timeout, Invalid (the name, or a store that belongs
/// to another volume) or Access (the store refuses this machine's credentials).
/// Implementations: memory/, directory/, s3/. Wrappers: retrying/, faulty/. Conformance suite: conformance_test.cc.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  /// Reads from `offset` into `buffer`; fewer bytes than it holds only where the object ends, 0 behind the end.
  /// NotFound when there is no such object.
  virtual Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) = 0;
  /// The same as a new string of at most `length` bytes. Requires: length <= limits::kObjectBytes.
  Result<Bytes> get(std::string_view name, uint64_t offset, size_t length);

  /// Makes or replaces the object, whole or not at all for every reader. Durable when it returns. After an error it may
  /// or may not be there, but never in part. NoSpace: the store is full, nothing was left behind.
  /// Requires: payload.bytes().size() <= limits::kObjectBytes.
  /// Corrupt, where the store checks digests: the payload's bytes are not of its digest; nothing was left behind.
  virtual Status put(std::string_view name, const Payload& payload) = 0;

  /// Whether every put() of bytes that are not of their digest is refused, found out by trying: who has bytes of which
  /// the digest is known need not hash them before. Asked once, and kept by the caller.
  virtual Result<bool> checks_digests() { return false; }

  /// Nothing when there is no such object.
  virtual Result<std::optional<ObjectInfo>> head(std::string_view name) = 0;

  /// Objects whose names start with `prefix` and are greater than `after`. Objects put or removed meanwhile may show or
  /// not; all others do. Any doubt about completeness is an error. Requires: 0 < limit <= limits::kListedObjects.
  virtual Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) = 0;

  /// Absence is fine. When it returns the name is gone for every reader, and stays so after a power loss.
  virtual Status remove(std::string_view name) = 0;

  /// The same for each of the names, in as few requests as the store can. After an error any of them may be gone.
  virtual Status remove_all(std::span<const std::string> names) = 0;

  /// What and where it is, for messages: "directory /srv/store".
  virtual std::string describe() const = 0;
};

}  // namespace weir::object
