#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace weir::bench {

enum class PlaceKind {
  kWeir,     // a volume that this run mounted
  kRaw,      // a plain directory on the disk that the volume's cache is on
  kFloor,    // the kernel channel with a handler that answers from memory
  kAgainst,  // any other directory that the user named
};

/// A directory to measure in, and what has to be done to it between measurements. One thread uses it.
class Place {
 public:
  /// `directory` is there, and this run's own.
  Place(PlaceKind kind, std::string label, std::string directory)
      : kind_(kind), label_(std::move(label)), directory_(std::move(directory)) {}
  virtual ~Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  PlaceKind kind() const { return kind_; }
  const std::string& label() const { return label_; }
  const std::string& directory() const { return directory_; }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }

  /// Blocks: until nothing of earlier rounds goes on in the background, such as write-back and uploads.
  virtual Status settle();
  /// Blocks: until the file was thrown out of the local cache and filled again. A plain directory has none: nothing.
  virtual Status refill(const std::string& path);
  /// Blocks: until nothing of the file is in the local cache. A plain directory has none: nothing.
  virtual Status evict(const std::string& path);
  /// The process that serves the directory, if it is one that this run started.
  virtual std::optional<pid_t> server() const { return std::nullopt; }
  /// Bytes on the local disk that this place takes, object store left out. Nothing where that is not known.
  virtual Result<std::optional<uint64_t>> local_bytes() const { return std::nullopt; }

 private:
  const PlaceKind kind_;
  const std::string label_;
  const std::string directory_;
};

/// Whether this process may drop the machine's caches, which needs root.
bool can_drop_caches();
/// Drops the page cache of the whole machine after writing back what is dirty.
Status drop_pages();
/// Drops cached names and attributes of the whole machine.
Status drop_names();

}  // namespace weir::bench
