#include "vfs/open_modes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace weir::vfs {
namespace {

/// What the kernel does with opens of one inode, as measured on Linux 6.18: an open that does not go together with
/// those that there are is answered EIO to the user. A direct write keeps the backing file of who passed beside it.
class KernelInode {
 public:
  bool open(OpenMode mode, int backing_id) {
    switch (mode) {
      case OpenMode::kCached:
        if (backing_id_ > 0) return false;  // without a backing file it waits for the writes
        ++cached_;
        return true;
      case OpenMode::kDirect:
        if (pass_ > 0) return false;
        ++direct_;
        return true;
      case OpenMode::kPass:
      case OpenMode::kPassDirect:
        if (cached_ > 0 || (backing_id_ > 0 && backing_id_ != backing_id)) return false;
        ++pass_;
        backing_id_ = backing_id;
        return true;
    }
    return false;
  }
  void close(OpenMode mode) {
    if (mode == OpenMode::kCached) --cached_;
    if (mode == OpenMode::kDirect) --direct_;
    if (mode == OpenMode::kPass || mode == OpenMode::kPassDirect) --pass_;
    forget_backing_file();
  }

  // Beside users of the page cache writes go one by one, and count for nothing.
  bool can_begin_write() const { return direct_ > writes_ && cached_ == 0; }
  void begin_write() { ++writes_; }
  bool writing() const { return writes_ > 0; }
  void end_write() {
    --writes_;
    forget_backing_file();
  }
  bool can_close(OpenMode mode) const { return mode != OpenMode::kDirect || direct_ > writes_; }

 private:
  void forget_backing_file() {
    if (pass_ + writes_ == 0) backing_id_ = 0;
  }

  int cached_ = 0;
  int direct_ = 0;
  int pass_ = 0;
  int writes_ = 0;
  int backing_id_ = 0;
};

struct Open {
  OpenMode mode;
  bool taken = true;  // by the kernel: the answers to two opens may overtake each other
};

struct World {
  OpenModes modes;
  KernelInode kernel;
  std::vector<Open> open;
  int backing_id = 1;     // of the next open that passes: another one once nobody does
  bool complete = false;  // an unpublished change, an eviction or a fill moves it
  // A writer beside a reader of the file makes it so, or beside a mapping that was left by one; it ends when none of
  // them is left.
  bool live = false;
};

void take(World& world, OpenMode mode) {
  ASSERT_TRUE(world.kernel.open(mode, world.backing_id)) << "the kernel refuses mode " << static_cast<int>(mode);
  world.modes.settled(mode);
}

/// Every order of opens, closes and changes of the content, up to a depth.
void walk(const World& world, bool direct_writes, int depth) {
  if (depth == 0) return;
  {
    World next = world;
    next.complete = !next.complete;
    walk(next, direct_writes, depth - 1);
  }
  // What makes it live comes from a descriptor, whose open the kernel has taken then.
  const bool taken = std::all_of(world.open.begin(), world.open.end(), [](const Open& open) { return open.taken; });
  if (world.complete && !world.live && taken) {
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
    if (mode == OpenMode::kDirect) {
      World late = next;
      late.open.push_back({mode, false});
      walk(late, direct_writes, depth - 1);
    }
    next.open.push_back({mode, true});
    take(next, mode);
    walk(next, direct_writes, depth - 1);
  }
  if (world.kernel.can_begin_write()) {
    World next = world;
    next.kernel.begin_write();
    walk(next, direct_writes, depth - 1);
  }
  if (world.kernel.writing()) {
    World next = world;
    next.kernel.end_write();
    walk(next, direct_writes, depth - 1);
  }
  for (size_t i = 0; i < world.open.size(); ++i) {
    World next = world;
    if (!next.open[i].taken) {
      next.open[i].taken = true;
      take(next, next.open[i].mode);
      walk(next, direct_writes, depth - 1);
      continue;
    }
    if (!world.kernel.can_close(world.open[i].mode)) continue;
    next.modes.closed(next.open[i].mode);
    next.kernel.close(next.open[i].mode);
    next.open.erase(next.open.begin() + static_cast<ptrdiff_t>(i));
    ASSERT_EQ(next.open.empty(), next.modes.none());
    if (world.modes.passing() && !next.modes.passing()) ++next.backing_id;
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

TEST(OpenModes, AnOpenBesideADirectWriteIsNotRefusedBecauseAReaderHasJustClosed) {
  OpenModes modes;
  modes.opened(OpenMode::kDirect);
  modes.settled(OpenMode::kDirect);
  modes.opened(OpenMode::kPass);
  modes.closed(OpenMode::kPass);
  EXPECT_TRUE(modes.passing());
  EXPECT_EQ(modes.next({.reads = true, .writes = true}), OpenMode::kPassDirect);
  modes.closed(OpenMode::kDirect);
  EXPECT_FALSE(modes.passing());
  EXPECT_EQ(modes.next({.reads = true, .writes = true}), OpenMode::kCached);
}

TEST(OpenModes, ADirectWriterIsNoHindranceToReadersOfTheFile) {
  OpenModes modes;
  modes.opened(OpenMode::kDirect);
  modes.settled(OpenMode::kDirect);
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kPass);
}

/// Its open failed with EIO when the kernel took the reader's answer first.
TEST(OpenModes, AReaderDoesNotOvertakeADirectWriter) {
  OpenModes modes;
  modes.opened(OpenMode::kDirect);
  EXPECT_EQ(modes.next({.reads = true, .complete = true}), OpenMode::kCached);
}

}  // namespace
}  // namespace weir::vfs
