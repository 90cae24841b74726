#pragma once

#include <cstdint>

namespace weir::vfs {

/// How the kernel serves a descriptor (docs/kernel-channel.md, "Open modes").
enum class OpenMode : uint8_t {
  kCached = 1,      // reads and writes come to the daemon through the kernel's page cache
  kDirect = 2,      // they come to the daemon as they are
  kPass = 3,        // the kernel reads and maps the backing file
  kPassDirect = 4,  // reads and writes come to the daemon, mappings are of the backing file
};

/// Which modes the open descriptors of one node id have, and which one the next may have: the kernel takes no mixture
/// of page cache and backing file for one inode, and answers EIO to who tries. Pure; the owner guards it.
class OpenModes {
 public:
  struct Wish {
    bool reads = false;
    bool writes = false;
    bool complete = false;       // the content lies whole in one file that nobody changes, and the kernel may read it
    bool live = false;           // a live draft: mappings of its file may be left although nobody has it open
    bool direct_writes = false;  // the kernel keeps its page cache right when others write directly
  };

  OpenMode next(const Wish& wish) const;
  void opened(OpenMode mode);
  /// The kernel has taken the answer to an open of this mode, as a later request of that descriptor shows: until then
  /// it may take one that is given later before it. Requires: once for each, and before closed().
  void settled(OpenMode mode);
  /// Requires: opened and settled before.
  void closed(OpenMode mode);
  /// Some descriptor shows the backing file itself, or the kernel may still hold it: every change must be made there.
  bool passing() const { return pass_ + pass_direct_ > 0 || held_; }
  bool cached() const { return cached_ > 0; }
  bool none() const { return cached_ + direct_ + pass_ + pass_direct_ == 0; }

 private:
  uint32_t& count(OpenMode mode);

  uint32_t cached_ = 0;
  uint32_t direct_ = 0;
  uint32_t pass_ = 0;
  uint32_t pass_direct_ = 0;
  // A direct write that began beside a backing file keeps it in the kernel's inode until the write ends, although who
  // passed is gone (fs/fuse/iomode.c, fuse_inode_uncached_io_end).
  bool held_ = false;
  uint32_t direct_unsettled_ = 0;
};

}  // namespace weir::vfs
