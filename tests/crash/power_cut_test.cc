// Power cuts at random moments of a volume at work, on a disk that loses, tears and reorders what was not synced.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "daemon/check/check_volume.h"
#include "power_disk.h"
#include "power_ledger.h"
#include "testing/volume_fixture.h"
#include "vfs/core.h"

namespace weir::testing {
namespace {

using Content = PowerLedger::Content;

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// One volume that goes on, life after life, each ended by a power cut.
class PowerLives {
 public:
  PowerLives(std::string directory, uint64_t seed) : base_(std::move(directory)), seed_(seed), random_(seed) {
    directory_ = base_ + "/life0";
    std::filesystem::create_directories(directory_);
    TestVolume volume(options());
    volume.stop();
  }

  /// Until the next cut; false when what was found is not what was promised.
  void live() {
    const std::string next = fmt::format("{}/life{}", base_, ++life_);
    {
      PowerDisk disk(directory_);
      disk_ = &disk;
      disk.cut_at(50 + random_.below(one_in(4) ? 1500 : 500), random_.next_u64(), next);
      TestVolume volume(options());
      volume_ = &volume;
      ASSERT_NO_FATAL_FAILURE(look());
      for (int step = 0; step < 400 && !disk.is_cut() && !::testing::Test::HasFailure(); ++step) this->step();
      disk.cut_now(random_.next_u64(), next);
      end_session_for_good();
      volume.stop();
      volume_ = nullptr;
      disk_ = nullptr;
    }
    std::filesystem::remove_all(directory_);
    directory_ = next;
  }

  uint64_t steps() const { return steps_; }
  uint64_t empty_files() const { return empty_files_; }

 private:
  VolumeOptions options() {
    VolumeOptions options{.on_disk = true, .directory = directory_};
    options.filesystem.early_upload_bytes = 1;
    options.boot_id = fmt::format("boot {}", life_);
    return options;
  }
  uint64_t below(uint64_t bound) { return random_.below(bound); }
  bool one_in(uint64_t count) { return below(count) == 0; }
  bool power() const { return !disk_->is_cut(); }
  void tell(std::string what) { story_.push_back(std::move(what)); }
  /// What was done since the ledger began anew.
  std::string story() const { return fmt::format("\n{}", fmt::join(story_, "\n")); }

  // ---- After a cut.

  void look() {
    std::map<std::string, PowerLedger::Found> found;
    for (char letter = 'a'; letter < 'a' + kNames; ++letter) {
      const std::string name(1, letter);
      if (!volume_->exists(name)) continue;
      auto bytes = volume_->get(name);
      ASSERT_TRUE(bytes.has_value()) << "file " << name << " cannot be read: " << bytes.error().what;
      ASSERT_EQ(volume_->stat(name).size, bytes->size());
      found[name] = {volume_->inode(name), std::move(*bytes)};
    }
    PowerLedger::Verdict verdict = ledger_.judge(found);
    ASSERT_EQ(verdict.complaint, "") << story();
    if (verdict.empty_files > 0 && recovered_in_peace_) {
      EXPECT_FALSE(vfs::status(volume_->fs()).reports.empty()) << "files were emptied without a word";
    }
    empty_files_ += verdict.empty_files;
    ASSERT_NO_FATAL_FAILURE(check());
    recovered_in_peace_ = false;
    barrier();
    if (!power()) return;
    recovered_in_peace_ = true;
    ledger_.begin_again(found);
    story_.clear();
  }

  void check() {
    CheckRequest request{.deep = one_in(8), .live = true};
    auto result = check_volume(volume_->volume(), volume_->store(), &volume_->cache(), request, {});
    ASSERT_TRUE(result.has_value()) << result.error().what;
    for (const meta::Problem& problem : result->problems) ADD_FAILURE() << problem.kind << ": " << problem.what;
  }

  void barrier() {
    EXPECT_DONE(volume_->cache().barrier());
    EXPECT_DONE(volume_->fs().core().barrier());
  }

  // ---- Work.

  void step() {
    ++steps_;
    switch (below(16)) {
      case 0:
      case 1:
      case 2: return create();
      case 3: return replace_by_rename();
      case 4: return rewrite();
      case 5:
      case 6: return change_in_place();
      case 7: return truncate();
      case 8: return unlink();
      case 9: return move();
      case 10: return link();
      case 11: return keep_house();
      case 12: return read();
      default: return go_on();
    }
  }

  std::string some_name() { return std::string(1, static_cast<char>('a' + below(kNames))); }
  /// Of a file that is not open; nothing when chance picked none.
  std::optional<std::string> some_idle() {
    std::string name = some_name();
    auto node = ledger_.find(name);
    if (!node || (session_ && session_->node == *node)) return std::nullopt;
    return name;
  }

  Bytes some_bytes() {
    constexpr uint64_t kSizes[] = {10, 4096, 5000, 60'000, 70'000, 300'000, 1'000'000};
    uint64_t size = one_in(25) ? (uint64_t{4} << 20) + below(uint64_t{5} << 20) : 1 + below(kSizes[below(7)]);
    // Now and then content that others have too.
    return pattern(one_in(4) ? 1 + below(3) : random_.next_u64(), size);
  }

  /// A file that is open for writing.
  struct Session {
    std::string name;
    PowerLedger::NodeNumber node = 0;
    HandleId handle = 0;
    Bytes bytes;
    PowerLedger::States states;  // since the last fsync
    bool replaces = false;       // the published content is not empty
    bool changed = false;
  };

  Content copy_of(const Bytes& bytes) { return std::make_shared<Bytes>(bytes); }

  void write(Session& session, uint64_t offset, std::string_view bytes) {
    tell(fmt::format("  write {} at {} of {} bytes of {}", bytes.size(), offset, session.bytes.size(), session.name));
    EXPECT_DONE(volume_->write(session.handle, offset, bytes));
    if (offset + bytes.size() > session.bytes.size()) session.bytes.resize(offset + bytes.size());
    session.bytes.replace(offset, bytes.size(), bytes);
    session.changed = true;
    if (session.states) session.states->push_back(copy_of(session.bytes));
  }
  /// What a program does to a file in one write.
  void write_somewhere(Session& session) {
    Bytes bytes = some_bytes();
    uint64_t offset = one_in(2) ? session.bytes.size() : below(session.bytes.size() + 1);
    for (uint64_t done = 0; done < bytes.size(); done += 1u << 20)
      write(session, offset + done, std::string_view(bytes).substr(done, 1u << 20));
  }
  void sync(Session& session) {
    // The same states stay possible until it has returned.
    auto states = std::make_shared<std::vector<Content>>();
    states->push_back(copy_of(session.bytes));
    ledger_.publish(session.node, copy_of(session.bytes), true, states);
    ledger_.begin_sync(session.node);
    tell(fmt::format("  fsync {} of {} bytes", session.name, session.bytes.size()));
    EXPECT_DONE(volume_->sync(session.handle));
    if (power()) tell("  done");
    session.states = states;
    if (power()) ledger_.made_safe();
  }
  void close(Session& session) {
    if (session.changed)
      ledger_.publish(session.node, copy_of(session.bytes), session.replaces || session.states, session.states);
    tell(fmt::format("close {} of {} bytes{}", session.name, session.bytes.size(), power() ? "" : ", after the cut"));
    EXPECT_DONE(volume_->close(session.handle));
  }
  Session begin(const std::string& name, int flags = O_RDWR) {
    Session session{.name = name, .node = *ledger_.find(name)};
    session.bytes = *ledger_.content(session.node);
    session.replaces = !session.bytes.empty();
    tell(fmt::format("open {} of {} bytes{}", name, session.bytes.size(),
                     (flags & O_TRUNC) != 0 ? " and truncate" : ""));
    session.handle = volume_->open(name, flags);
    if ((flags & O_TRUNC) == 0) return session;
    session.bytes.clear();
    session.changed = true;
    return session;
  }
  Session create_and_begin(const std::string& name) {
    Session session{.name = name, .node = ledger_.create(name)};
    tell("create " + name);
    session.handle = volume_->create(name);
    return session;
  }
  /// Writes, syncs now and then, and closes or goes on later.
  void work(Session session) {
    for (uint64_t writes = 1 + below(3); writes > 0; --writes) {
      write_somewhere(session);
      if (one_in(4)) sync(session);
    }
    if (!session_ && one_in(5))
      session_ = std::move(session);
    else
      close(session);
  }
  void end_session_for_good() {
    if (session_) volume_->release(session_->handle);
    session_.reset();
  }

  void create() {
    std::string name = some_name();
    if (!ledger_.find(name)) work(create_and_begin(name));
  }
  void replace_by_rename() {
    auto target = some_idle();
    std::string name = some_name();
    if (!target || ledger_.find(name)) return;
    Session session = create_and_begin(name);
    write_somewhere(session);
    if (one_in(3)) sync(session);
    close(session);
    ledger_.rename(name, *target);
    tell(fmt::format("rename {} over {}", name, *target));
    EXPECT_DONE(volume_->rename(name, *target));
  }
  void rewrite() {
    if (auto name = some_idle()) work(begin(*name, O_RDWR | O_TRUNC));
  }
  void change_in_place() {
    if (auto name = some_idle()) work(begin(*name));
  }
  void truncate() {
    auto name = some_idle();
    if (!name) return;
    auto node = *ledger_.find(*name);
    Bytes bytes = *ledger_.content(node);
    const bool replaces = !bytes.empty();
    bytes.resize(one_in(3) ? bytes.size() + below(100'000) : below(bytes.size() + 1));
    ledger_.publish(node, copy_of(bytes), replaces);
    tell(fmt::format("truncate {} to {}", *name, bytes.size()));
    EXPECT_DONE(volume_->truncate(*name, bytes.size()));
  }
  void unlink() {
    auto name = some_idle();
    if (!name) return;
    ledger_.unlink(*name);
    tell("unlink " + *name);
    EXPECT_DONE(volume_->unlink(*name));
  }
  void move() {
    auto from = some_idle();
    std::string to = some_name();
    if (!from || *from == to) return;
    auto target = ledger_.find(to);
    if (target && (target == ledger_.find(*from) || (session_ && session_->node == *target))) return;
    meta::RenameFlags flags;
    flags.exchange = target && one_in(3);
    flags.exchange ? ledger_.exchange(*from, to) : ledger_.rename(*from, to);
    tell(fmt::format("{} {} and {}", flags.exchange ? "exchange" : "rename", *from, to));
    EXPECT_DONE(volume_->rename(*from, to, flags));
  }
  void link() {
    auto from = some_idle();
    std::string to = some_name();
    if (!from || ledger_.find(to)) return;
    ledger_.link(*from, to);
    tell(fmt::format("link {} to {}", *from, to));
    EXPECT_DONE(volume_->link(*from, to));
  }
  void keep_house() {
    const uint64_t what = below(4);
    tell(what == 0 ? "barrier" : what == 1 ? "upload" : what == 2 ? "evict" : "collect");
    if (what == 0) barrier();
    if (what == 0 && power()) ledger_.made_all_safe();
    if (what == 1) vfs::drain_uploads(volume_->fs(), 5'000, {});
    if (what == 2) volume_->evict();
    // Without grace an object could be put while its chunk is collected, and after a cut just then nobody knows it.
    if (what == 3 && vfs::drain_uploads(volume_->fs(), 20'000, {}) == 0) volume_->collect();
  }
  void read() {
    auto name = some_idle();
    if (!name) return;
    auto bytes = volume_->get(*name);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
    EXPECT_EQ(*bytes == *ledger_.content(*ledger_.find(*name)), true) << "file " << *name;
  }
  void go_on() {
    if (!session_) return create();
    switch (below(3)) {
      case 0: return write_somewhere(*session_);
      case 1: return sync(*session_);
      default: close(*session_); session_.reset();
    }
  }

  static constexpr int kNames = 8;

  const std::string base_;
  const uint64_t seed_;
  SeededRandom random_;
  std::string directory_;
  uint64_t life_ = 0;
  uint64_t steps_ = 0;
  uint64_t empty_files_ = 0;
  bool recovered_in_peace_ = true;
  PowerDisk* disk_ = nullptr;
  TestVolume* volume_ = nullptr;
  PowerLedger ledger_;
  std::optional<Session> session_;
  std::vector<std::string> story_;
};

TEST(PowerCutTest, what_was_synced_is_there_after_a_power_cut_at_any_moment) {
  constexpr uint64_t kCutsOfAVolume = 20;
  const uint64_t cuts = number_from_environment("WEIR_TEST_POWER_CUTS", 40);
  const uint64_t first = number_from_environment("WEIR_TEST_SEED", 1);
  const auto begun = std::chrono::steady_clock::now();
  uint64_t done = 0, steps = 0, empty_files = 0, seed = first;
  for (; done < cuts; ++seed) {
    SCOPED_TRACE(fmt::format("WEIR_TEST_SEED={}", seed));
    TemporaryDirectory directory;
    PowerLives lives(directory.path(), seed);
    for (uint64_t life = 0; life < kCutsOfAVolume && done < cuts; ++life, ++done) {
      ASSERT_NO_FATAL_FAILURE(lives.live()) << "life " << life;
      ASSERT_FALSE(HasFailure()) << "life " << life;
    }
    steps += lives.steps();
    empty_files += lives.empty_files();
  }
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("%lu power cuts, seeds %lu to %lu, %lu steps, %lu new files found empty, %.1f s\n", done, first, seed - 1,
              steps, empty_files, seconds);
}

}  // namespace
}  // namespace weir::testing
