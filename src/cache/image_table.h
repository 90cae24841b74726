#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/mutex.h"
#include "cache/records.h"
#include "model/ids.h"

namespace weir::cache {

class Image;

/// What memory knows of one image file; about 120 bytes.
struct ImageEntry {
  uint64_t size = 0;  // of the content
  uint64_t disk_bytes = 0;
  int64_t last_used_ns = 0;
  uint32_t present_chunks = 0;
  uint8_t uses = 0;
  bool final = false;
  bool registered = false;
  bool unstored = false;
  bool uses_changed = false;  // since they were saved
  // The inode to whose readers the kernel showed the file last. A mapping may be left long after they closed it, so it
  // is the file of that inode until nobody has it open. None after a restart of the daemon.
  InodeId shown_to;

  /// The Image object of this file, while there is one.
  struct Open {
    Image* image = nullptr;
    std::weak_ptr<Image> weak;
    size_t owners = 0;  // groups of shared_ptr: a new one may begin while the last one's deleter waits
  };
  std::shared_ptr<Open> open;

  static ImageEntry of(const ImageRow& row);
  /// What the index shall know, but which chunks of an incomplete image are here.
  ImageRow row(uint64_t boot) const;
};

/// All images of the cache, with running totals. Thread-safe; never blocks on the disk.
class ImageTable {
 public:
  /// A copy; nothing when there is no such image.
  std::optional<ImageEntry> find(const ManifestId& id) const;
  void put(const ManifestId& id, ImageEntry entry);
  /// False when there is no such image. `change` must not come back here.
  bool update(const ManifestId& id, const std::function<void(ImageEntry&)>& change);
  void erase(const ManifestId& id);
  void clear();
  void for_each(const std::function<void(const ManifestId&, const ImageEntry&)>& visit) const;

  /// The Image object of this id, if there is one that somebody holds.
  std::shared_ptr<Image> held(const ManifestId& id) const;

  uint64_t images() const { return static_cast<uint64_t>(images_.load()); }
  uint64_t final_images() const { return static_cast<uint64_t>(final_.load()); }
  uint64_t disk_bytes() const { return static_cast<uint64_t>(disk_bytes_.load()); }
  /// Of images without unstored chunks.
  uint64_t stored_disk_bytes() const;

 private:
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<ManifestId, ImageEntry> entries GUARDED_BY(mutex);
  };
  Shard& shard(const ManifestId& id) { return shards_[static_cast<uint8_t>(id.bytes()[31]) % shards_.size()]; }
  const Shard& shard(const ManifestId& id) const {
    return shards_[static_cast<uint8_t>(id.bytes()[31]) % shards_.size()];
  }
  void add_to_totals(const ImageEntry& entry, int64_t sign);

  std::array<Shard, 64> shards_;
  std::atomic<int64_t> images_ = 0;
  std::atomic<int64_t> final_ = 0;
  std::atomic<int64_t> disk_bytes_ = 0;
  std::atomic<int64_t> unstored_bytes_ = 0;
};

}  // namespace weir::cache
