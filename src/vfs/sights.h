#pragma once

#include <cstdint>
#include <vector>

#include "vfs/open_modes.h"

namespace weir::vfs {

/// The node ids of one inode that the kernel has, by their epochs, and who has them open (docs/kernel-channel.md,
/// "Epochs"). Opens belong to the current one; a former one stays for the descriptors that it has, and for pages that
/// the kernel may have kept of it. Pure; the owner guards it.
class Sights {
 public:
  explicit Sights(uint16_t first = 0) : sights_{Sight{first, {}}} {}

  /// Nobody has the file open.
  bool none() const;
  uint16_t current() const { return sights_.front().epoch; }
  const OpenModes& now() const { return sights_.front().modes; }
  bool passing() const { return now().passing(); }
  bool is_known(uint16_t epoch) const;

  /// The kernel comes with this node id for a file that nobody has open. Requires: none(). Of its pages and those of
  /// other epochs nothing is known unless both are 0.
  void adopt(uint16_t epoch);
  /// A descriptor of this epoch; one that is not known becomes a former one.
  OpenModes& of(uint16_t epoch);
  /// A predecessor's descriptor: the latest epoch is the current one.
  void restored(uint16_t epoch, OpenMode mode);

  std::vector<uint16_t> all() const;
  /// The highest of all().
  uint16_t latest() const;

  /// The kernel shall know the file by a new node id, for it cannot read by itself what others have open through its
  /// page cache. Requires: can_move().
  void move();
  bool can_move() const { return sights_.size() == 1 && now().cached() && !passing() && current() < UINT16_MAX; }

  /// Epochs whose pages are not those of the file any more when it was changed by a descriptor of `epoch`.
  std::vector<uint16_t> others(uint16_t epoch) const;
  /// The kernel has no pages of this epoch from before now.
  void dropped(uint16_t epoch);

 private:
  struct Sight {
    uint16_t epoch = 0;
    OpenModes modes;
  };

  std::vector<Sight> sights_;  // the current one first
};

}  // namespace weir::vfs
