#include "vfs/open_modes.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::vfs {
namespace {

/// What the kernel does with opens of one inode, as measured on Linux 6.18: an open that does not go together with
/// those that there are is answered EIO to the user.
class KernelInode {
 public:
  bool open(OpenMode mode) {
    switch (mode) {
      case OpenMode::kCached:
        if (pass_ > 0) return false;
        ++cached_;
        return true;
      case OpenMode::kDirect:
        if (pass_ > 0) return false;
        ++direct_;
        return true;
      case OpenMode::kPass:
      case OpenMode::kPassDirect:
        if (cached_ > 0) return false;
        ++pass_;
        return true;
    }
    return false;
  }
  void close(OpenMode mode) {
    if (mode == OpenMode::kCached) --cached_;
    if (mode == OpenMode::kDirect) --direct_;
    if (mode == OpenMode::kPass || mode == OpenMode::kPassDirect) --pass_;
  }

 private:
  int cached_ = 0;
  int direct_ = 0;
  int pass_ = 0;
};

struct World {
  OpenModes modes;
  KernelInode kernel;
  std::vector<OpenMode> open;
  bool complete = false;  // an unpublished change, an eviction or a fill moves it
  // A writer beside a reader of the file makes it so, or beside a mapping that was left by one; it ends when none of
  // them is left.
  bool live = false;
};

/// Every order of opens, closes and changes of the content, up to a depth.
void walk(const World& world, bool direct_writes, int depth) {
  if (depth == 0) return;
  {
    World next = world;
    next.complete = !next.complete;
    walk(next, direct_writes, depth - 1);
  }
  if (world.complete && !world.live) {
    World next = world;
    next.live = true;
    walk(next, direct_writes, depth - 1);
  }
  for (int kind = 1; kind <= 3; ++kind) {
    World next = world;
    const OpenModes::Wish wish{.reads = (kind & 1) != 0,
                               .writes = (kind & 2) != 0,
                               .complete = next.complete,
                               .live = next.live,
                               .direct_writes = direct_writes};
    const OpenMode mode = next.modes.next(wish);
    ASSERT_TRUE(next.kernel.open(mode)) << "the kernel refuses mode " << static_cast<int>(mode);
    const bool passes = mode == OpenMode::kPass || mode == OpenMode::kPassDirect;
    // Who may write is never given the file itself without the daemon in between.
    if (wish.writes) {
      ASSERT_NE(mode, OpenMode::kPass);
    }
    if (passes) {
      ASSERT_TRUE(world.modes.passing() || world.live || world.complete);
    }
    if (world.modes.passing() || (world.live && !world.modes.cached())) {
      ASSERT_TRUE(passes) << "this descriptor would not see what others write";
    }
    next.modes.opened(mode);
    next.live = next.live || mode == OpenMode::kPassDirect;
    next.open.push_back(mode);
    walk(next, direct_writes, depth - 1);
  }
  for (size_t i = 0; i < world.open.size(); ++i) {
    World next = world;
    next.modes.closed(next.open[i]);
    next.kernel.close(next.open[i]);
    next.open.erase(next.open.begin() + static_cast<ptrdiff_t>(i));
    ASSERT_EQ(next.open.empty(), next.modes.none());
    if (next.live && !next.modes.passing()) {
      World settled = next;
      settled.live = false;
      walk(settled, direct_writes, depth - 1);
    }
    walk(next, direct_writes, depth - 1);
  }
}

TEST(OpenModes, TheKernelRefusesNoneOfAnyOrderOfOpensAndChanges) {
  for (bool direct_writes : {false, true}) walk(World(), direct_writes, 6);
}

TEST(OpenModes, ACompleteFileIsReadByTheKernelItself) {
  OpenModes modes;
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kPass);
  EXPECT_EQ(modes.next({.reads = true}), OpenMode::kCached);
}

TEST(OpenModes, AWriterBesideSuchAReaderWritesTheSameFile) {
  OpenModes modes;
  modes.opened(OpenMode::kPass);
  EXPECT_EQ(modes.next({.reads = true, .writes = true}), OpenMode::kPassDirect);
  EXPECT_EQ(modes.next({.writes = true, .direct_writes = true}), OpenMode::kPassDirect);
  EXPECT_EQ(modes.next({.reads = true}), OpenMode::kPass);
}

TEST(OpenModes, WhileSomebodyUsesThePageCacheAllDo) {
  OpenModes modes;
  modes.opened(OpenMode::kCached);
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kCached);
  modes.closed(OpenMode::kCached);
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kPass);
}

TEST(OpenModes, AReaderBesideOthersIsNotRefusedBecauseAMappingWasLeft) {
  OpenModes modes;
  modes.opened(OpenMode::kCached);
  EXPECT_EQ(modes.next({.reads = true, .live = true}), OpenMode::kCached);
}

TEST(OpenModes, ADirectWriterIsNoHindranceToReadersOfTheFile) {
  OpenModes modes;
  modes.opened(OpenMode::kDirect);
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kPass);
}

}  // namespace
}  // namespace weir::vfs
