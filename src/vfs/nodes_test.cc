// What one node does to a file, and another one that has the volume mounted too sees of it.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "vfs/foreign.h"
#include "vfs/nodes_fixture.h"

namespace weir::vfs {
namespace {

constexpr size_t kSizes[] = {1, 100, 5'000, 70'000, (4u << 20) + 77};

class NodesTest : public ::testing::Test {
 protected:
  /// Written on a node, and in the object store.
  void put(TestNode& node, const std::string& name, std::string_view bytes) {
    node.put(name, bytes);
    node.volume.drain();
  }

  TwoNodes nodes_;
  TestNode& a_ = nodes_.a;
  TestNode& b_ = nodes_.b;
};

TEST_F(NodesTest, what_was_closed_on_one_node_is_what_another_opens) {
  int round = 0;
  for (const size_t before : {size_t{100}, size_t{70'000}, size_t{(4u << 20) + 77}}) {
    for (const size_t after : kSizes) {
      SCOPED_TRACE(fmt::format("{} to {} bytes", before, after));
      const Bytes old = pattern(++round, before);
      put(a_, "file", old);
      EXPECT_EQ(b_.get("file"), old);
      // The other node's kernel still has name, size and pages.
      const Bytes content = pattern(++round, after);
      put(a_, "file", content);
      EXPECT_EQ(b_.get("file"), content);
      EXPECT_EQ(a_.get("file"), content);
    }
  }
}

TEST_F(NodesTest, a_reader_goes_on_reading_the_version_that_it_opened) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    const Bytes old = pattern(1, size);
    put(a_, "file", old);
    const auto early = TestVolume::must(b_.open("file"));
    const auto unread = TestVolume::must(b_.open("file"));
    EXPECT_EQ(b_.read(early), old);
    const Bytes content = pattern(2, size / 2 + 3);
    put(a_, "file", content);
    const auto late = TestVolume::must(b_.open("file"));
    EXPECT_NE(late.node, early.node);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(b_.read(late), content);
      EXPECT_EQ(b_.read(early), old);
      EXPECT_EQ(b_.read(unread), old);
      EXPECT_EQ(b_.stat_size(early), old.size());
      EXPECT_EQ(b_.stat_size(late), content.size());
    }
    EXPECT_EQ(TestVolume::must(b_.volume.fs().get_attributes(early.node)).inode,
              TestVolume::must(b_.volume.fs().get_attributes(late.node)).inode);
    // A third version, while two are open.
    const Bytes third = pattern(3, size + 5);
    put(a_, "file", third);
    EXPECT_EQ(b_.get("file"), third);
    EXPECT_EQ(b_.read(early), old);
    EXPECT_EQ(b_.read(late), content);
    for (const auto& descriptor : {early, unread, late}) EXPECT_DONE(b_.close(descriptor));
    EXPECT_EQ(b_.get("file"), third);
  }
}

TEST_F(NodesTest, a_name_that_stands_for_another_file_by_now_is_looked_up_again) {
  put(a_, "one", "first");
  put(a_, "two", "second file");
  EXPECT_EQ(b_.get("one"), "first");
  EXPECT_EQ(b_.get("two"), "second file");
  a_.rename("two", "one");
  EXPECT_EQ(b_.get("one"), "second file");
  EXPECT_FAILS(Code::kNotFound, b_.open("two"));
  a_.unlink("one");
  EXPECT_FAILS(Code::kNotFound, b_.open("one"));
  put(b_, "one", "third");
  EXPECT_EQ(a_.get("one"), "third");
}

/// stat() of a name that another node replaced, again and again, failed with ESTALE now and then.
TEST_F(NodesTest, a_file_that_was_removed_elsewhere_a_moment_ago_still_shows_its_attributes) {
  put(a_, "file", "first");
  EXPECT_EQ(b_.stat_size("file"), 5u);
  put(a_, "temporary", "the second");
  a_.rename("temporary", "file");
  const size_t before = b_.stale_opens();
  EXPECT_EQ(b_.stat_size("file"), 5u);
  EXPECT_EQ(b_.stale_opens(), before);
  EXPECT_EQ(b_.get("file"), "the second");
  EXPECT_EQ(b_.stat_size("file"), 10u);
}

TEST_F(NodesTest, what_this_node_wrote_itself_is_shown_after_another_one_removed_the_file) {
  put(a_, "file", "first");
  EXPECT_EQ(b_.get("file"), "first");
  put(b_, "file", "second content");
  a_.unlink("file");
  EXPECT_EQ(b_.stat_size("file"), 14u);
}

/// A program saw the file empty after another one on the same node had closed it.
TEST_F(NodesTest, a_file_that_was_removed_elsewhere_while_it_was_written_is_not_shown_as_it_was_before) {
  const auto writer = TestVolume::must(b_.create("file"));
  Core& core = b_.volume.fs().core();
  // A listing reads the file, and takes until after the close.
  const uint64_t begun = core.publications;
  const Inode listed = TestVolume::must(meta::get_inode(b_.volume.volume(), writer.node.inode()));
  b_.write(writer, 0, "content");
  a_.unlink("file");
  EXPECT_DONE(b_.close(writer));
  EXPECT_TRUE(core.entry_of(listed, begun, kRootInode, "file").attributes.fleeting);
  EXPECT_FAILS(Code::kNotFound, b_.volume.fs().get_attributes(writer.node, b_.volume.caller()));
}

/// The kernel then went on with the file that was there before, by its new name.
TEST_F(NodesTest, a_rename_of_a_name_that_stands_for_another_file_by_now_is_of_that_file) {
  put(a_, "one", "first");
  EXPECT_EQ(b_.get("one"), "first");
  put(a_, "temporary", "the second");
  a_.rename("temporary", "one");
  b_.rename("one", "two");
  EXPECT_EQ(b_.stat_size("two"), 10u);
  EXPECT_EQ(b_.get("two"), "the second");
  // The old one goes on under another name.
  put(a_, "one", "third");
  EXPECT_EQ(b_.get("one"), "third");
  a_.rename("one", "away");
  put(a_, "one", "fourth one");
  b_.rename("one", "two");
  EXPECT_EQ(b_.stat_size("two"), 10u);
  EXPECT_EQ(b_.get("two"), "fourth one");
  EXPECT_EQ(b_.get("away"), "third");
}

TEST_F(NodesTest, what_is_replaced_between_look_up_and_rename_is_not_known_by_the_new_name) {
  const auto replace = [&](const std::string& content) {
    put(a_, "temporary", content);
    a_.rename("temporary", "one");
  };
  replace("first");
  EXPECT_EQ(b_.get("one"), "first");
  replace("the second");
  EXPECT_FAILS(Code::kStale, b_.volume.rename("one", "two"));
  EXPECT_TRUE(b_.look("one"));
  replace("the very third");
  EXPECT_DONE(b_.volume.rename("one", "two"));
  b_.follow_rename("one", "two");
  EXPECT_EQ(b_.stat_size("two"), 14u);
  EXPECT_EQ(b_.get("two"), "the very third");
}

TEST_F(NodesTest, a_file_whose_name_was_moved_by_this_node_needs_no_second_look) {
  put(a_, "file", "content");
  const size_t before = a_.stale_opens();
  a_.rename("file", "other");
  EXPECT_EQ(a_.get("other"), "content");
  put(a_, "other", "more content");
  EXPECT_EQ(a_.get("other"), "more content");
  EXPECT_EQ(a_.stale_opens(), before);
}

/// A program got the file that was renamed, though another node had put another one under the old name.
TEST_F(NodesTest, who_opens_the_old_name_while_the_kernel_has_not_taken_the_answer_to_a_rename_gets_what_is_there) {
  for (const bool renames : {true, false}) {
    SCOPED_TRACE(renames ? "rename" : "unlink of one of two names");
    Caller other_thread = a_.volume.caller();
    ++other_thread.pid;
    put(a_, "one", "first");
    EXPECT_EQ(a_.get("one"), "first");
    if (renames) {
      EXPECT_DONE(a_.volume.fs().rename(other_thread, TestVolume::root(), "one", TestVolume::root(), "two", {}));
    } else {
      EXPECT_DONE(a_.volume.link("one", "two"));
      EXPECT_DONE(a_.volume.fs().unlink(other_thread, TestVolume::root(), "one"));
    }
    // On a busy machine.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    put(b_, "one", "the second");
    EXPECT_EQ(a_.get("one"), "the second");
    a_.unlink("one");
    a_.unlink("two");
  }
}

/// A program whose open() had found nothing, and that asked stat() a moment later, got the file of that stat() from its
/// next open(), though another node had replaced it in between.
TEST_F(NodesTest, what_a_later_call_looked_up_is_not_opened_for_one_that_found_nothing) {
  put(a_, "file", "first");
  EXPECT_EQ(b_.get("file"), "first");
  a_.unlink("file");
  EXPECT_FAILS(Code::kNotFound, b_.open("file"));
  EXPECT_FAILS(Code::kNotFound, b_.look("file"));  // the kernel looks twice
  EXPECT_FAILS(Code::kNotFound, b_.look("file"));  // the next call
  put(a_, "file", "second one");
  EXPECT_EQ(b_.stat_size("file"), 10u);
  put(a_, "temporary", "the third");
  a_.rename("temporary", "file");
  EXPECT_EQ(b_.get("file"), "the third");
}

/// "one" was moved to "two" elsewhere, and the kernel still knows it by both names. Who had just asked stat() of "two"
/// and opened "one" wrote into "two", and the file that it made was never seen.
TEST_F(NodesTest, a_name_that_was_moved_to_one_that_the_program_has_just_looked_at_is_not_opened) {
  Filesystem& fs = b_.volume.fs();
  const auto caller = [this] { return b_.volume.caller(); };
  for (const bool opens_what_it_looked_up : {false, true}) {
    SCOPED_TRACE(opens_what_it_looked_up);
    put(a_, "one", "first");
    put(a_, "two", "second file");
    const KernelNode moved = TestVolume::must(b_.look("one"));
    const KernelNode replaced = TestVolume::must(b_.look("two"));
    a_.rename("one", "two");
    fs.core().told_attributes.gone(replaced);  // written here meanwhile
    EXPECT_FAILS(Code::kNotFound, fs.get_attributes(replaced, caller()));
    const Entry entry = TestVolume::must(fs.lookup(TestVolume::root(), "two", caller()));
    EXPECT_EQ(entry.node, moved);
    // So the kernel asks before each call, also where another program was told of them meanwhile.
    EXPECT_TRUE(entry.attributes.fleeting);
    EXPECT_TRUE(TestVolume::must(fs.get_attributes(moved, caller())).fleeting);
    EXPECT_TRUE(TestVolume::must(fs.lookup(TestVolume::root(), "two", {.pid = 12'345})).attributes.fleeting);
    if (opens_what_it_looked_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      const auto opened = fs.open(caller(), moved, O_RDONLY);
      ASSERT_TRUE(opened) << opened.error().what;
      b_.volume.release(opened->handle);
    } else {
      TestVolume::must(fs.get_attributes(moved, caller()));
      EXPECT_FAILS(Code::kStale, fs.open(caller(), moved, O_WRONLY));
      EXPECT_FAILS(Code::kNotFound, b_.look("one"));
    }
    a_.unlink("two");
  }
}

/// It was read as if it was empty.
TEST_F(NodesTest, a_file_is_read_whole_though_the_kernel_has_not_taken_the_answer_to_a_look_up_by_another_program) {
  EXPECT_DONE(a_.close(TestVolume::must(a_.create("file"))));
  TestVolume::must(b_.look("file"));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  put(a_, "file", "content");
  TestVolume::must(b_.volume.fs().lookup(TestVolume::root(), "file", b_.volume.caller()));
  EXPECT_EQ(b_.get("file"), "content");
}

/// The name never stood for what was written after the file had been moved away.
TEST_F(NodesTest, a_file_that_is_moved_away_between_look_up_and_open_is_opened_with_what_it_was_then) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    put(a_, "file", pattern(1, size));
    b_.expire();
    const KernelNode known = TestVolume::must(b_.look("file"));
    put(a_, "temporary", pattern(2, size));
    a_.rename("temporary", "file");
    EXPECT_FAILS(Code::kStale, b_.volume.fs().open(b_.volume.caller(), known, O_RDONLY));
    const KernelNode again = TestVolume::must(b_.look("file"));
    a_.rename("file", "other");
    put(a_, "other", pattern(3, size));
    auto opened = b_.volume.fs().open(b_.volume.caller(), again, O_RDONLY);
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ(TestVolume::must(b_.volume.read(opened->handle, 0, size + 1)), pattern(2, size));
    EXPECT_EQ(b_.get("other"), pattern(3, size));
    b_.volume.release(opened->handle);
    EXPECT_EQ(b_.get("other"), pattern(3, size));
  }
}

/// When the connection to the metadata server was lost at that moment, open() failed with ESTALE.
TEST_F(NodesTest, a_look_up_and_an_open_that_are_done_anew_after_the_metadata_server_was_away_are_of_the_same_call) {
  put(a_, "file", "first");
  EXPECT_EQ(b_.get("file"), "first");
  const KernelNode known = TestVolume::must(b_.look("file"));
  put(a_, "temporary", "the second");
  a_.rename("temporary", "file");
  const auto caller = [this] { return b_.volume.caller(); };
  EXPECT_FAILS(Code::kStale, b_.volume.fs().open(caller(), known, O_RDONLY));
  nodes_.parts.engine.crash(false);
  EXPECT_FAILS(Code::kUnavailable, b_.volume.fs().lookup(TestVolume::root(), "file", caller()));
  nodes_.parts.engine.reopen();
  const KernelNode again = TestVolume::must(b_.look("file"));
  // Another node moves it before it is opened.
  a_.rename("file", "other");
  const Caller opener = caller();
  nodes_.parts.engine.crash(false);
  EXPECT_FAILS(Code::kUnavailable, b_.volume.fs().open(opener, again, O_RDONLY));
  nodes_.parts.engine.reopen();
  const auto opened = b_.volume.fs().open(opener, again, O_RDONLY);
  ASSERT_TRUE(opened) << opened.error().what;
  b_.volume.release(opened->handle);
}

/// open(O_CREAT) failed with ESTALE.
TEST_F(NodesTest, a_name_that_is_absent_until_it_is_created_may_stand_for_a_file_that_is_known_by_another_one) {
  put(a_, "file", "first");
  put(a_, "other", "the second");
  EXPECT_EQ(b_.get("file"), "first");
  EXPECT_EQ(b_.get("other"), "the second");
  a_.unlink("file");
  EXPECT_FAILS(Code::kNotFound, b_.open("file"));
  EXPECT_FAILS(Code::kNotFound, b_.look("file"));  // the kernel looks twice
  a_.rename("other", "file");
  const auto descriptor = TestVolume::must(b_.create("file"));
  EXPECT_EQ(b_.read(descriptor), "the second");
  EXPECT_DONE(b_.close(descriptor));
}

/// What was written then got the end of the other node's content.
TEST_F(NodesTest, an_empty_file_that_is_opened_to_be_rewritten_is_not_written_over_what_another_node_publishes_then) {
  EXPECT_DONE(a_.close(TestVolume::must(a_.create("file"))));
  const auto writer = TestVolume::must(a_.open("file", O_WRONLY));
  EXPECT_DONE(a_.volume.truncate(writer.node, 0));
  put(b_, "file", pattern(1, 2'321));
  EXPECT_DONE(a_.close(TestVolume::must(a_.open("file"))));
  a_.write(writer, 0, pattern(2, 2'001));
  EXPECT_DONE(a_.close(writer));
  EXPECT_EQ(b_.get("file"), pattern(2, 2'001));
}

TEST_F(NodesTest, a_file_that_another_node_makes_just_before_it_is_created_and_truncated_here_is_shown_empty) {
  put(a_, "file", "first");
  const auto created = TestVolume::must(b_.volume.create_file("file", O_WRONLY | O_TRUNC));
  EXPECT_EQ(created.entry.attributes.size, 0u);
  EXPECT_EQ(b_.stat_size("file"), 0u);
  EXPECT_EQ(a_.get("file"), "first");
  EXPECT_DONE(b_.volume.close(created.opened.handle));
  EXPECT_EQ(a_.get("file"), "");
}

/// It failed with ENOENT, as if there were no such name.
TEST_F(NodesTest, a_second_name_for_a_file_that_another_node_replaced_is_looked_up_again) {
  put(a_, "file", "first");
  const KernelNode known = TestVolume::must(b_.look("file"));
  put(a_, "temporary", "the second");
  a_.rename("temporary", "file");
  const auto link = [&](KernelNode node, KernelNode directory) {
    return b_.volume.fs().link(b_.volume.caller(), node, directory, "other");
  };
  EXPECT_FAILS(Code::kStale, link(known, TestVolume::root()));
  const KernelNode again = TestVolume::must(b_.look("file"));
  EXPECT_FAILS(Code::kNotFound, link(again, KernelNode::of(InodeId{12'345}, 0)));
  EXPECT_DONE(link(again, TestVolume::root()));
  EXPECT_EQ(a_.get("other"), "the second");
}

/// Otherwise a name that always stands for a file is absent for who opens it.
TEST_F(NodesTest, a_file_that_is_replaced_between_look_up_and_open_is_opened_as_it_was_looked_up) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    const auto replace = [&](int seed) {
      put(a_, "temporary", pattern(seed, size));
      a_.rename("temporary", "file");
    };
    replace(1);
    b_.expire();
    const KernelNode known = TestVolume::must(b_.look("file"));
    replace(2);
    auto opened = b_.volume.fs().open(b_.volume.caller(), known, O_RDONLY);
    ASSERT_FALSE(opened);
    ASSERT_EQ(opened.error().code, Code::kStale);
    const KernelNode again = TestVolume::must(b_.look("file"));
    replace(3);
    opened = b_.volume.fs().open(b_.volume.caller(), again, O_RDONLY);
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ(TestVolume::must(b_.volume.read(opened->handle, 0, size + 1)), pattern(2, size));
    b_.volume.release(opened->handle);
    EXPECT_EQ(b_.get("file"), pattern(3, size));
  }
}

/// open() failed with ESTALE on a node where requests took long: after it had looked the name up again, another program
/// there closed the file, and found out that it was removed, before the kernel asked whether it may be opened.
TEST_F(NodesTest, a_file_that_is_removed_between_the_second_look_up_and_the_open_is_opened_as_it_was_looked_up) {
  put(a_, "file", "first");
  b_.expire();
  const KernelNode known = TestVolume::must(b_.look("file"));
  put(a_, "temporary", "the second");
  a_.rename("temporary", "file");
  Filesystem& fs = b_.volume.fs();
  EXPECT_FAILS(Code::kStale, fs.open(b_.volume.caller(), known, O_RDONLY));
  const KernelNode again = TestVolume::must(b_.look("file"));
  a_.unlink("file");
  fs.core().told_attributes.gone(again);
  EXPECT_EQ(TestVolume::must(fs.get_attributes(again, b_.volume.caller())).size, 10u);
  const auto opened = fs.open(b_.volume.caller(), again, O_RDONLY);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ(TestVolume::must(b_.volume.read(opened->handle, 0, 100)), "the second");
  b_.volume.release(opened->handle);
  // In another call it is gone.
  EXPECT_FAILS(Code::kNotFound, fs.get_attributes(again, b_.volume.caller()));
}

/// A program read the new content only up to the size of the old one, while another open() of the file was under way.
TEST_F(NodesTest, what_another_node_published_is_shown_with_its_size_while_an_open_is_under_way) {
  put(b_, "file", "short");
  Core& core = b_.volume.fs().core();
  FileRef under_way = core.files.acquire(b_.volume.node("file").inode());
  TestVolume::must(core.version_of(*under_way));
  put(a_, "file", "longer content");
  b_.expire();
  EXPECT_EQ(b_.stat_size("file"), 14u);
  core.let_go(std::move(under_way));
}

TEST_F(NodesTest, rename_of_a_file_that_is_open_for_writing_shows_all_that_was_written) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    const auto writer = TestVolume::must(a_.create("temporary"));
    const Bytes content = pattern(1, size);
    a_.write(writer, 0, content);
    a_.rename("temporary", "final");
    a_.volume.drain();
    EXPECT_EQ(b_.get("final"), content);
    EXPECT_DONE(a_.close(writer));
  }
}

TEST_F(NodesTest, unlinked_elsewhere_it_stays_readable_where_it_is_open) {
  const Bytes content = pattern(1, 70'000);
  put(a_, "file", content);
  const auto reader = TestVolume::must(b_.open("file"));
  a_.unlink("file");
  EXPECT_EQ(b_.read(reader), content);
  EXPECT_EQ(b_.stat_size(reader), content.size());
  EXPECT_EQ(TestVolume::must(b_.volume.fs().get_attributes(reader.node)).link_count, 0u);
  EXPECT_DONE(b_.close(reader));
}

TEST_F(NodesTest, writes_to_a_file_unlinked_elsewhere_succeed_and_are_seen_here) {
  put(a_, "file", "content");
  const auto writer = TestVolume::must(b_.open("file", O_RDWR));
  a_.unlink("file");
  b_.write(writer, 7, " and more");
  EXPECT_DONE(b_.volume.flush(writer.handle));
  EXPECT_EQ(b_.read(writer), "content and more");
  b_.write(writer, 16, ", later");
  EXPECT_EQ(b_.read(writer), "content and more, later");
  EXPECT_EQ(b_.stat_size(writer), 23u);
  EXPECT_DONE(b_.close(writer));
  EXPECT_FAILS(Code::kNotFound, b_.open("file"));
}

TEST_F(NodesTest, who_may_write_sees_with_all_others_here_what_another_node_published) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    put(a_, "file", pattern(1, size));
    const auto writer = TestVolume::must(b_.open("file", O_RDWR));
    const auto reader = TestVolume::must(b_.open("file"));
    EXPECT_EQ(b_.read(reader), pattern(1, size));
    Bytes content = pattern(2, size + 9);
    put(a_, "file", content);
    const auto late = TestVolume::must(b_.open("file"));
    for (const auto& descriptor : {writer, reader, late}) EXPECT_EQ(b_.read(descriptor), content);
    b_.write(writer, 0, "w");
    content[0] = 'w';
    for (const auto& descriptor : {writer, reader, late}) EXPECT_EQ(b_.read(descriptor), content);
    for (const auto& descriptor : {writer, reader, late}) EXPECT_DONE(b_.close(descriptor));
    b_.volume.drain();
    EXPECT_EQ(a_.get("file"), content);
  }
}

TEST_F(NodesTest, unpublished_writes_are_seen_here_until_they_win) {
  put(a_, "file", "old");
  const auto writer = TestVolume::must(b_.open("file", O_RDWR));
  b_.write(writer, 0, "here");
  put(a_, "file", "there, and longer");
  const auto reader = TestVolume::must(b_.open("file"));
  EXPECT_EQ(b_.read(reader), "here");
  EXPECT_EQ(a_.get("file"), "there, and longer");
  EXPECT_DONE(b_.close(writer));
  EXPECT_DONE(b_.close(reader));
  EXPECT_EQ(a_.get("file"), "here");
  EXPECT_EQ(b_.get("file"), "here");
}

TEST_F(NodesTest, changes_in_place_by_two_nodes_go_together_chunk_by_chunk) {
  constexpr uint64_t kChunk = limits::kChunkBytes;
  Bytes content = pattern(1, 3 * kChunk);
  put(a_, "file", content);
  const auto at_a = TestVolume::must(a_.open("file", O_RDWR));
  const auto at_b = TestVolume::must(b_.open("file", O_RDWR));
  const auto reader = TestVolume::must(b_.open("file"));
  a_.write(at_a, 5, "by a");
  b_.write(at_b, 2 * kChunk + 7, "by b");
  EXPECT_DONE(a_.close(at_a));
  a_.volume.drain();
  EXPECT_DONE(b_.volume.flush(at_b.handle));
  content.replace(5, 4, "by a");
  content.replace(2 * kChunk + 7, 4, "by b");
  b_.volume.drain();
  EXPECT_EQ(b_.read(at_b), content);
  EXPECT_EQ(b_.read(reader), content);
  EXPECT_EQ(a_.get("file"), content);
  EXPECT_DONE(b_.close(at_b));
  EXPECT_DONE(b_.close(reader));
  EXPECT_EQ(b_.get("file"), content);
}

TEST_F(NodesTest, appends_by_two_nodes_leave_the_one_or_the_other_and_no_mixture_in_a_chunk) {
  const Bytes start = pattern(1, limits::kChunkBytes + 70'000);
  put(a_, "file", start);
  const auto at_a = TestVolume::must(a_.open("file", O_RDWR));
  const auto at_b = TestVolume::must(b_.open("file", O_RDWR));
  a_.write(at_a, start.size(), Bytes(1000, 'a'));
  b_.write(at_b, start.size(), Bytes(300, 'b'));
  EXPECT_DONE(a_.close(at_a));
  EXPECT_DONE(b_.close(at_b));
  a_.volume.drain();
  b_.volume.drain();
  EXPECT_EQ(a_.get("file"), start + Bytes(300, 'b'));
  EXPECT_EQ(b_.get("file"), start + Bytes(300, 'b'));
}

TEST_F(NodesTest, a_file_with_two_names_of_which_one_is_removed_elsewhere) {
  put(a_, "file", "content");
  EXPECT_DONE(a_.volume.link("file", "second"));
  EXPECT_EQ(b_.get("file"), "content");
  EXPECT_EQ(b_.get("second"), "content");
  a_.unlink("file");
  EXPECT_EQ(b_.get("second"), "content");
  EXPECT_FAILS(Code::kNotFound, b_.open("file"));
}

TEST_F(NodesTest, what_is_open_is_not_erased_when_it_is_superseded_or_unlinked_elsewhere) {
  const Bytes first = pattern(1, 9u << 20);
  const Bytes second = pattern(2, 5u << 20);
  put(a_, "file", first);
  const auto early = TestVolume::must(b_.open("file"));
  put(a_, "file", second);
  a_.volume.drain_and_evict();
  const auto late = TestVolume::must(b_.open("file"));
  a_.unlink("file");
  look_at_open_files(b_.volume.fs().core());
  for (int i = 0; i < 3; ++i) a_.volume.collect();
  // Nothing of it was read before.
  EXPECT_EQ(b_.read(early), first);
  EXPECT_EQ(b_.read(late), second);
  EXPECT_EQ(a_.volume.objects().size(), 5u);
  EXPECT_DONE(b_.close(early));
  for (int i = 0; i < 3; ++i) a_.volume.collect();
  EXPECT_EQ(a_.volume.objects().size(), 2u);
  EXPECT_DONE(b_.close(late));
  for (int i = 0; i < 3; ++i) a_.volume.collect();
  EXPECT_EQ(a_.volume.objects().size(), 0u);
}

TEST_F(NodesTest, pages_of_an_unchanged_file_are_kept_between_opens) {
  put(a_, "file", "content");
  EXPECT_EQ(b_.get("file"), "content");
  b_.expire();
  const auto again = TestVolume::must(b_.open("file"));
  EXPECT_TRUE(again.kept_pages);
  EXPECT_DONE(b_.close(again));
  put(a_, "file", "changed");
  const auto changed = TestVolume::must(b_.open("file"));
  EXPECT_FALSE(changed.kept_pages);
  EXPECT_DONE(b_.close(changed));
}

}  // namespace
}  // namespace weir::vfs
