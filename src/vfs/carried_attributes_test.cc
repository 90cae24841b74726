// Attributes that are set on a file with unpublished content travel with its publish.
#include <gtest/gtest.h>

#include "meta/acl.h"
#include "meta/attributes.h"
#include "vfs/core.h"
#include "vfs/nodes_fixture.h"
#include "vfs/publisher.h"

namespace weir::vfs {
namespace {

constexpr size_t kSmall = 4096;
constexpr size_t kLarge = (5u << 20) + 123;
constexpr int64_t kLongAgoNs = 1'000'000'000'000'000'000;
// 0640 with entries for a user, a mask and others.
const Bytes kAcl = [] {
  Encoder encoder;
  const auto little = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) encoder.u8(static_cast<uint8_t>(value >> (8 * i)));
  };
  little(2, 4);
  const auto entry = [&](uint16_t tag, uint16_t permissions, uint32_t id) {
    little(tag, 2);
    little(permissions, 2);
    little(id, 4);
  };
  entry(1, 6, UINT32_MAX);
  entry(2, 4, 7);
  entry(4, 4, UINT32_MAX);
  entry(16, 4, UINT32_MAX);
  entry(32, 0, UINT32_MAX);
  return std::move(encoder).take();
}();

std::shared_ptr<SharedMemory> new_memory(uint32_t drafts = 16) {
  return TestVolume::must(
      SharedMemory::create({.requests = 4, .handles = 64, .contents = 8, .drafts = drafts, .locks = 16}));
}

VolumeOptions node_of(SharedParts& parts, uint32_t number, uint32_t drafts = 16) {
  NodeInfo info;
  info.active = true;
  auto transaction = parts.engine.begin();
  transaction->put(meta::keys::node(NodeId{number}), info.encode());
  EXPECT_DONE(transaction->commit());
  VolumeOptions options;
  options.shared = &parts;
  options.node = NodeId{number};
  options.filesystem.shared = true;
  options.filesystem.upload = false;
  options.filesystem.lifetimes = {.entry_ms = 1000, .attributes_ms = 1000, .absent_ms = 0};
  options.filesystem.memory = new_memory(drafts);
  return options;
}

SetAttributes mode_of(uint32_t mode) {
  SetAttributes change;
  change.mode = mode;
  return change;
}

/// A volume of two nodes; the files are written on `here_`.
class CarriedAttributesTest : public ::testing::Test {
 protected:
  uint64_t commits() {
    auto transaction = parts_.engine.begin();
    transaction->put("~", "counts");
    const uint64_t now = TestVolume::must(transaction->commit());
    return now - std::exchange(last_version_, now) - 1;
  }
  HandleId write_new(const std::string& name, const Bytes& content) {
    const HandleId handle = here_.create(name);
    EXPECT_DONE(here_.write(handle, 0, content));
    return handle;
  }
  Attributes set(TestVolume& volume, const std::string& name, const SetAttributes& change) {
    return TestVolume::must(volume.fs().set_attributes(volume.caller(), volume.node(name), change));
  }
  Attributes set(const std::string& name, const SetAttributes& change) { return set(here_, name, change); }
  /// As tar does it.
  void set_all(const std::string& name) {
    SetAttributes times;
    times.atime_ns = kLongAgoNs + 1;
    times.mtime_ns = kLongAgoNs;
    set(name, times);
    SetAttributes owner;
    owner.uid = 1001;
    owner.gid = 1002;
    set(name, owner);
    set(name, mode_of(0750));
  }
  static void expect_all(const Attributes& attributes) {
    EXPECT_EQ(attributes.mode, S_IFREG | 0750u);
    EXPECT_EQ(attributes.uid, 1001u);
    EXPECT_EQ(attributes.gid, 1002u);
    EXPECT_EQ(attributes.atime_ns, kLongAgoNs + 1);
    EXPECT_EQ(attributes.mtime_ns, kLongAgoNs);
  }
  /// Opened as the kernel does it, which looks a name up again when told to.
  static Bytes get(TestVolume& volume, const std::string& name) {
    const vfs::Caller caller = volume.caller();
    Result<Opened> opened = error(Code::kStale, "not opened yet");
    for (int i = 0; i < 2 && !opened; ++i) {
      const KernelNode node = TestVolume::must(volume.fs().lookup(TestVolume::root(), name, caller)).node;
      opened = volume.fs().open(volume.caller(), node, O_RDONLY);
    }
    const HandleId handle = TestVolume::must(std::move(opened)).handle;
    Bytes bytes = TestVolume::must(volume.read_all(handle));
    volume.release(handle);
    return bytes;
  }
  void machine_dies() {
    here_.kill_and_resume([] { return new_memory(); });
  }

  SharedParts parts_;
  TestVolume here_{node_of(parts_, 1)};
  TestVolume there_{node_of(parts_, 2)};
  uint64_t last_version_ = 0;
};

TEST_F(CarriedAttributesTest, an_unpacked_file_is_two_commits) {
  EXPECT_DONE(here_.put("first", "takes a range of ids"));
  commits();
  const HandleId handle = write_new("file", pattern(1, kSmall));
  set_all("file");
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(commits(), 2u);
  expect_all(here_.stat("file"));
  expect_all(there_.stat("file"));
  EXPECT_EQ(get(here_, "file"), pattern(1, kSmall));
}

TEST_F(CarriedAttributesTest, they_are_seen_here_at_once_and_elsewhere_with_the_publish) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  const Attributes before = here_.stat("file");
  set_all("file");
  expect_all(here_.stat("file"));
  EXPECT_GE(here_.stat("file").ctime_ns, before.ctime_ns);
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0644u);
  EXPECT_EQ(there_.stat("file").uid, 0u);
  EXPECT_DONE(here_.flush(handle));
  expect_all(there_.stat("file"));
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, what_is_set_is_in_the_answer) {
  const HandleId handle = write_new("file", pattern(1, kLarge));
  set_all("file");
  const Attributes answer = set("file", mode_of(04755));
  EXPECT_EQ(answer.mode, S_IFREG | 04755u);
  EXPECT_EQ(answer.uid, 1001u);
  EXPECT_EQ(answer.size, kLarge);
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 04755u);
}

TEST_F(CarriedAttributesTest, without_unpublished_content_they_are_committed_at_once) {
  const HandleId handle = here_.create("file");
  set("file", mode_of(0600));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0600u);
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, a_write_after_them_sets_the_time_anew) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  set_all("file");
  EXPECT_DONE(here_.write(handle, 0, "later"));
  EXPECT_GT(here_.stat("file").mtime_ns, kLongAgoNs);
  EXPECT_DONE(here_.close(handle));
  EXPECT_GT(there_.stat("file").mtime_ns, kLongAgoNs);
  EXPECT_EQ(there_.stat("file").atime_ns, kLongAgoNs + 1);
}

TEST_F(CarriedAttributesTest, cutting_a_file_by_its_name_is_one_commit_with_what_else_is_set) {
  EXPECT_DONE(here_.put("file", pattern(1, kSmall)));
  set("file", mode_of(06755));
  commits();
  SetAttributes change = mode_of(0755);  // as the kernel takes setuid bits away
  change.size = 10;
  EXPECT_EQ(set("file", change).size, 10u);
  EXPECT_EQ(commits(), 1u);
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0755u);
  EXPECT_EQ(there_.stat("file").size, 10u);
}

TEST_F(CarriedAttributesTest, opening_with_truncation_is_one_commit_at_close) {
  EXPECT_DONE(here_.put("file", pattern(1, kSmall)));
  commits();
  const HandleId handle = here_.open("file", O_WRONLY | O_TRUNC);
  EXPECT_DONE(here_.write(handle, 0, "new"));
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(commits(), 1u);
}

TEST_F(CarriedAttributesTest, a_rename_of_the_open_file_takes_them_along) {
  const HandleId handle = write_new("temporary", pattern(1, kSmall));
  set_all("temporary");
  EXPECT_DONE(here_.rename("temporary", "final"));
  expect_all(there_.stat("final"));
  EXPECT_DONE(here_.link("final", "second"));
  EXPECT_DONE(here_.write(handle, 0, "more"));
  set("second", mode_of(0600));
  EXPECT_EQ(here_.stat("final").mode, S_IFREG | 0600u);
  EXPECT_DONE(here_.link("second", "third"));
  EXPECT_EQ(there_.stat("final").mode, S_IFREG | 0600u);
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, an_unlinked_open_file_has_them) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  const KernelNode node = here_.node("file");
  set_all("file");
  EXPECT_DONE(here_.unlink("file"));
  expect_all(TestVolume::must(here_.fs().get_attributes(node)));
  TestVolume::must(here_.fs().set_attributes(here_.caller(), node, mode_of(0400)));
  EXPECT_EQ(TestVolume::must(here_.fs().get_attributes(node)).mode, S_IFREG | 0400u);
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, a_file_that_another_node_removed_has_them_for_those_who_have_it_open) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  const KernelNode node = here_.node("file");
  EXPECT_DONE(there_.unlink("file"));
  EXPECT_EQ(TestVolume::must(here_.fs().set_attributes(here_.caller(), node, mode_of(0400))).mode, S_IFREG | 0400u);
  EXPECT_DONE(here_.flush(handle));
  EXPECT_EQ(TestVolume::must(here_.fs().get_attributes(node)).mode, S_IFREG | 0400u);
  EXPECT_DONE(commit_carried_of(here_.fs().core(), node.inode()));
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, they_may_be_committed_before_the_content) {
  for (const size_t size : {kSmall, kLarge}) {
    SCOPED_TRACE(size);
    const std::string name = "file" + std::to_string(size);
    const HandleId handle = write_new(name, pattern(1, size));
    set(name, mode_of(0600));
    EXPECT_DONE(commit_carried_of(here_.fs().core(), here_.inode(name)));
    EXPECT_EQ(there_.stat(name).mode, S_IFREG | 0600u);
    EXPECT_EQ(there_.stat(name).size, 0u);
    EXPECT_EQ(here_.stat(name).mode, S_IFREG | 0600u);
    EXPECT_EQ(here_.stat(name).size, size);
    // From here on it is nothing that this node would set again.
    set(there_, name, mode_of(0444));
    EXPECT_DONE(here_.close(handle));
    EXPECT_EQ(there_.stat(name).mode, S_IFREG | 0444u);
    EXPECT_EQ(there_.stat(name).size, size);
  }
}

TEST_F(CarriedAttributesTest, the_janitor_commits_what_waits_for_long) {
  Core& core = here_.fs().core();
  const HandleId handle = write_new("file", pattern(1, kSmall));
  set("file", mode_of(0600));
  set("file", mode_of(0640));
  EXPECT_TRUE(core.take_carrying(60'000).empty());
  EXPECT_EQ(core.take_carrying(0), std::vector{here_.inode("file")});
  EXPECT_TRUE(core.take_carrying(0).empty());
  EXPECT_DONE(here_.close(handle));
}

TEST_F(CarriedAttributesTest, an_access_list_follows_the_mode) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  set("file", mode_of(0600));
  EXPECT_DONE(
      here_.fs().set_xattr(here_.caller(), here_.node("file"), meta::kAccessAcl, kAcl, meta::XattrMode::kAny, false));
  EXPECT_EQ(here_.stat("file").mode, S_IFREG | 0640u);
  EXPECT_EQ(set("file", mode_of(0604)).mode, S_IFREG | 0604u);
  const Bytes acl = TestVolume::must(here_.fs().get_xattr(here_.node("file"), meta::kAccessAcl));
  EXPECT_EQ(TestVolume::must(meta::Acl::parse(acl)).permission_bits(), 0604u);
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0604u);
}

TEST_F(CarriedAttributesTest, a_mode_set_before_a_list_does_not_come_back) {
  const HandleId handle = write_new("file", pattern(1, kSmall));
  set_all("file");
  EXPECT_DONE(
      here_.fs().set_xattr(here_.caller(), here_.node("file"), "user.any", "value", meta::XattrMode::kAny, false));
  set("file", mode_of(0611));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0611u);
  EXPECT_EQ(there_.stat("file").uid, 1001u);
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0611u);
}

TEST_F(CarriedAttributesTest, without_room_for_a_successor_s_notes_they_are_committed_at_once) {
  TestVolume narrow(node_of(parts_, 3, 1));
  const HandleId large = narrow.create("large");  // its draft takes the only slot
  EXPECT_DONE(narrow.write(large, 0, pattern(1, kLarge)));
  set(narrow, "large", mode_of(0600));
  EXPECT_EQ(there_.stat("large").mode, S_IFREG | 0600u);
  EXPECT_DONE(narrow.close(large));
}

TEST_F(CarriedAttributesTest, a_killed_daemon_s_successor_goes_on_with_them) {
  for (const size_t size : {kSmall, kLarge}) {
    SCOPED_TRACE(size);
    const std::string name = "file" + std::to_string(size);
    const HandleId handle = write_new(name, pattern(1, size));
    set_all(name);
    here_.kill_and_resume();
    expect_all(here_.stat(name));
    set(name, mode_of(0700));
    here_.kill_and_resume();
    EXPECT_EQ(here_.stat(name).mode, S_IFREG | 0700u);
    set(name, mode_of(0750));
    here_.kill_and_resume();
    EXPECT_DONE(here_.close(handle));
    expect_all(there_.stat(name));
    EXPECT_EQ(get(here_, name), pattern(1, size));
  }
  EXPECT_EQ(here_.options().filesystem.memory->drafts().in_use(), 0u);
}

TEST_F(CarriedAttributesTest, what_was_published_is_not_set_again_by_a_successor) {
  const HandleId handle = write_new("file", pattern(1, kLarge));
  set_all("file");
  here_.note_death();  // with the draft, and before the publish that follows is known to it
  EXPECT_DONE(here_.flush(handle));
  set(there_, "file", mode_of(0444));
  here_.kill_and_resume();
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0444u);
  EXPECT_EQ(here_.options().filesystem.memory->drafts().in_use(), 0u);
}

TEST_F(CarriedAttributesTest, after_fsync_they_survive_the_machine) {
  for (const size_t size : {kSmall, kLarge}) {
    SCOPED_TRACE(size);
    const std::string name = "file" + std::to_string(size);
    const HandleId handle = write_new(name, pattern(1, size));
    set_all(name);
    EXPECT_DONE(here_.sync(handle));
    machine_dies();
    expect_all(there_.stat(name));
    EXPECT_EQ(get(here_, name), pattern(1, size));
  }
}

TEST_F(CarriedAttributesTest, an_older_mode_does_not_come_back_with_the_machine) {
  const HandleId handle = write_new("file", pattern(1, kLarge));
  set("file", mode_of(0600));
  EXPECT_DONE(here_.sync(handle));
  EXPECT_DONE(commit_carried_of(here_.fs().core(), here_.inode("file")));
  set(there_, "file", mode_of(0444));
  machine_dies();
  EXPECT_EQ(get(here_, "file"), pattern(1, kLarge));
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0444u);
}

TEST_F(CarriedAttributesTest, a_conflict_copy_has_them_and_the_file_has_not) {
  const HandleId handle = write_new("file", pattern(1, kLarge));
  set("file", mode_of(0700));
  // Whether this life's draft was published before that change nobody knows then.
  EXPECT_DONE(there_.put("file", "theirs"));
  here_.kill_and_resume();
  EXPECT_DONE(here_.close(handle));
  EXPECT_EQ(get(there_, "file"), "theirs");
  EXPECT_EQ(there_.stat("file").mode, S_IFREG | 0644u);
  const std::string copy = fmt::format("inode-{}.conflict-node1", here_.inode("file").value);
  EXPECT_EQ(there_.stat(copy).mode, S_IFREG | 0700u);
  EXPECT_EQ(get(here_, copy), pattern(1, kLarge));
}

/// A node read what it had written itself, and nobody else ever saw, for as long as a program had the file open.
TEST_F(CarriedAttributesTest, who_has_a_file_open_reads_what_others_wrote_when_a_conflict_copy_is_kept) {
  for (const size_t size : {size_t{4}, kSmall, kLarge}) {
    SCOPED_TRACE(size);
    const std::string name = "file" + std::to_string(size);
    const HandleId handle = write_new(name, pattern(1, size));
    EXPECT_DONE(there_.put(name, "theirs"));
    here_.kill_and_resume();
    EXPECT_DONE(here_.flush(handle));
    EXPECT_EQ(here_.read(handle, 0, 100).value(), "theirs");
    here_.release(handle);
    EXPECT_EQ(get(here_, fmt::format("inode-{}.conflict-node1", here_.inode(name).value)), pattern(1, size));
  }
}

}  // namespace
}  // namespace weir::vfs
