#pragma once

#include <atomic>
#include <memory>

#include "object/object_store.h"
#include "object/s3/replies.h"
#include "object/s3/s3_client.h"

namespace weir::object {

/// Objects in a bucket of any S3-compatible service. Layout as in a directory (docs/formats.md): below the prefix,
/// `weir-store` holds the marker and `objects/<name>` the objects.
///
/// A body goes straight into the caller's buffer, and counts only if status, range and length are what was asked for:
/// everything else is Unavailable. The marker is looked at when something is absent, before a list, and before changes
/// if the last look is older than limits::kStoreMarkerAgeMs.
class S3Store : public ObjectStore {
 public:
  /// Makes the marker, if nothing lies below the prefix. Fine when that marker is there already; Exists when it is
  /// another one; NotEmpty when other objects are there.
  static Result<std::unique_ptr<S3Store>> create(std::unique_ptr<S3Client> client, std::string_view marker,
                                                 const Clock& clock);
  /// Unavailable: the store or its marker is not there. Invalid: the marker is another's, or the bucket does not exist.
  static Result<std::unique_ptr<S3Store>> open(std::unique_ptr<S3Client> client, std::string_view marker,
                                               const Clock& clock);
  /// Looks at nothing yet: whoever had it open before found the marker there.
  static std::unique_ptr<S3Store> resume(std::unique_ptr<S3Client> client, std::string_view marker, const Clock& clock);
  /// Nothing when there is no marker.
  static Result<std::optional<Bytes>> read_marker(std::unique_ptr<S3Client> client, const Clock& clock);

  /// Puts another marker in the place of its own, and is of no more use then.
  Status change_marker(std::string_view marker);

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, const Payload& payload) override;
  Result<bool> checks_digests() override;
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  Status remove_all(std::span<const std::string> names) override;
  std::string describe() const override;

 private:
  S3Store(std::unique_ptr<S3Client> client, std::string_view marker, const Clock& clock);

  std::string key_of(std::string_view name) const;
  std::string marker_key() const;
  /// Of an object that a store which checks digests never takes.
  std::string probe_key() const;
  /// What to say of an answer that is a failure, `action` being what was tried.
  Failure failure_of(std::string_view action, const HttpReply& reply) const;
  /// The same of a body, time or range that makes no sense.
  Failure senseless(std::string_view action, std::string_view what) const;

  Result<std::optional<Bytes>> load_marker();
  /// Unavailable when it is gone, Invalid when it is another's.
  Status check_marker();
  Status check_marker_if_old();
  /// Writes it where none is; Exists when another one is there afterwards.
  Status make_marker();
  Status check_unused();

  /// NotFound, after a look at the marker: that the store is there.
  Failure absent(std::string_view name);
  /// That a body is as long as its head announced.
  Status check_length(std::string_view action, const HttpReply& reply) const;
  /// The length of a 206 that answers a GET of `room` bytes at `offset`.
  Result<size_t> checked_range(std::string_view action, const HttpReply& reply, uint64_t offset, size_t room) const;
  /// For a GET that was answered with nothing: 0, if the object ends before `offset`.
  Result<size_t> behind_the_end(std::string_view name, uint64_t offset);
  Status put_key(const std::string& key, const Payload& payload, std::vector<HttpHeader> headers, HttpReply& reply);
  Status remove_key(const std::string& key, std::string_view name);
  /// One DeleteObjects. Requires: names.size() <= limits::kListedObjects.
  Status remove_batch(std::span<const std::string> names);
  Result<ListReply> list_once(Query query, std::string_view action);

  const std::unique_ptr<S3Client> client_;
  const Bytes marker_;
  const Clock& clock_;
  std::atomic<int64_t> marker_seen_ns_ = INT64_MIN;  // by the monotonic clock
};

}  // namespace weir::object
