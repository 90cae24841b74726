#pragma once

#include <string>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "cache/cache.h"
#include "cache/layout.h"
#include "cache/records.h"

namespace weir::cache {

/// The directory itself: made, locked, and known to be ours. The lock goes with the object.
class Directory {
 public:
  /// Busy, naming the process: another one uses it. Invalid: another volume's. Unsupported: of a newer format.
  static Result<Directory> open(const Options& options);

  const Layout& layout() const { return layout_; }
  int fd() const { return fd_.get(); }
  /// The machine has started since the directory was last opened (or it is new).
  bool boot_changed() const { return identity_.boot_id != boot_id_; }
  /// Nobody used it before this process.
  bool is_new() const { return is_new_; }
  /// A number for this run of the machine.
  uint64_t boot() const;
  /// What boot_changed() asks for is done. Survives power loss.
  Status save_boot();

 private:
  explicit Directory(Layout layout) : layout_(std::move(layout)) {}
  Status make();
  Status lock();
  Result<bool> identify(const Options& options);
  Status save_identity();

  Layout layout_;
  FileDescriptor fd_;
  FileDescriptor lock_fd_;
  Identity identity_;
  std::string boot_id_;
  bool is_new_ = false;
};

}  // namespace weir::cache
