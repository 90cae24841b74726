#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fuse/protocol.h"
#include "vfs/types.h"

/// The filesystem's values in the kernel's form.
namespace weir::fuse {

fuse_attr encode_attributes(const vfs::Attributes& attributes);
fuse_entry_out encode_entry(const vfs::Entry& entry, const vfs::Lifetimes& lifetimes);
/// "There is no such name", for the kernel to remember.
fuse_entry_out encode_absent(const vfs::Lifetimes& lifetimes);
fuse_attr_out encode_attributes_reply(const vfs::Attributes& attributes, const vfs::Lifetimes& lifetimes);
StatxOut encode_statx(const vfs::Attributes& attributes, const vfs::Lifetimes& lifetimes);
fuse_statfs_out encode_statistics(const vfs::VolumeStatistics& statistics);
OpenOut encode_opened(const vfs::Opened& opened);

/// Which fields `in` sets; those for which the kernel says "now" are left to the filesystem's clock.
vfs::SetAttributes decode_set_attributes(const fuse_setattr_in& in);

/// Invalid for a lock type that is not of fcntl(2).
Result<vfs::Lock> decode_lock(const fuse_lk_in& in);
fuse_lk_out encode_lock(const vfs::Lock& lock);

/// Packs directory entries into a reply of limited size.
class DirectoryPacker {
 public:
  /// With `plus`, each entry carries what a lookup of it would say.
  DirectoryPacker(size_t bytes_max, bool plus, const vfs::Lifetimes& lifetimes);
  /// False, and nothing added, when it does not fit.
  bool add(const vfs::DirectoryItem& item);
  std::string_view bytes() const { return bytes_; }

 private:
  const size_t bytes_max_;
  const bool plus_;
  const vfs::Lifetimes lifetimes_;
  std::string bytes_;
};

}  // namespace weir::fuse
