#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "object/object_store.h"

namespace weir::object {

/// Objects as files below a directory, which may be local or a shared filesystem used by many nodes at once. Layout
/// (docs/formats.md): `weir-store` holds the marker, `objects/<name>` the objects, `temporary/` what is being written.
///
/// The marker, given at create() and again at open(), tells this volume's store from another's and from the empty
/// directory that shows when a disk is not mounted. Every change and every listing checks it first, every read that
/// finds nothing checks it afterwards.
class DirectoryStore : public ObjectStore {
 public:
  /// Makes the directory and its marker, durably. Fine when it bears that marker already; Exists when it bears another;
  /// NotEmpty when other things are in it.
  static Result<std::unique_ptr<DirectoryStore>> create(const std::string& path, std::string_view marker,
                                                        const Clock& clock);
  /// Unavailable: no directory or no marker there. Invalid: the marker is another's.
  /// Removes temporary files that are older than limits::kStoreTemporaryAgeMs.
  static Result<std::unique_ptr<DirectoryStore>> open(const std::string& path, std::string_view marker,
                                                      const Clock& clock);
  /// Looks at nothing yet: whoever had it open before found the marker there.
  static std::unique_ptr<DirectoryStore> resume(const std::string& path, std::string_view marker);
  /// Nothing when the directory is absent or has no marker.
  static Result<std::optional<Bytes>> read_marker(const std::string& path);
  /// Puts another marker in the place of its own, and is of no more use then.
  Status change_marker(std::string_view marker);

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, const Payload& payload) override;
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  Status remove_all(std::span<const std::string> names) override;
  std::string describe() const override;

 private:
  DirectoryStore(std::string path, std::string_view marker);

  /// The root directory, open, after a look at its marker.
  Result<FileDescriptor> enter() const;
  std::string object_path(std::string_view name) const;
  Status put_below(int root, std::string_view name, std::string_view bytes);
  Result<FileDescriptor> make_temporary(int root, const std::string& path);
  /// A file of `bytes` in temporary/, synced. Returns its path below the root.
  Result<std::string> write_temporary(int root, std::string_view bytes);
  /// Gives a temporary file its place below the root, durably.
  Status move_to(int root, const std::string& temporary, const std::string& place);
  Status make_parents(int root, const std::string& place);
  void forget_parents(const std::string& place);

  const std::string path_;
  const Bytes marker_;
  const uint64_t instance_;  // random, keeps the temporary files of several processes apart
  std::atomic<uint64_t> next_temporary_ = 0;
  Mutex mutex_;
  /// Directories below the root whose own names are known to survive a power loss.
  std::set<std::string> durable_directories_ GUARDED_BY(mutex_);
};

}  // namespace weir::object
