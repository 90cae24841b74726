#pragma once

#include <functional>

namespace weir::vfs {

/// How who wants bytes waits that nobody can give now.
struct Waiting {
  bool for_holders = true;  // false: WouldBlock, where only other nodes have them, and none gives them now
  std::function<bool()> keep_going = {};  // asked now and then; unset: always. No: Interrupted

  bool goes_on() const { return !keep_going || keep_going(); }
};

}  // namespace weir::vfs
