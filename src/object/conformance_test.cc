// What every object store must do, run over each implementation and each wrapper without faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/random.h"
#include "object/directory/directory_store.h"
#include "object/faulty/faulty_store.h"
#include "object/memory/memory_store.h"
#include "object/object_store.h"
#include "object/open_store.h"
#include "object/retrying/retrying_store.h"
#include "testing/environment_variable.h"
#include "testing/s3/fault_server.h"
#include "testing/temporary_directory.h"

namespace weir::object {
namespace {

/// A store and all that it stands on.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual ObjectStore& store() = 0;

 protected:
  SystemClock clock_;
  SystemRandom random_;
};

class MemorySubject : public Subject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryStore store_{clock_};
};

class DirectorySubject : public Subject {
 public:
  ObjectStore& store() override { return *store_; }

 private:
  testing::TemporaryDirectory directory_;
  std::unique_ptr<DirectoryStore> store_ = DirectoryStore::create(directory_.file("store"), "v1", clock_).value();
};

class WrappedSubject : public DirectorySubject {
 public:
  ObjectStore& store() override { return retrying_; }

 private:
  FaultyStore faulty_{DirectorySubject::store(), clock_, 1};
  RetryingStore retrying_{faulty_, clock_, random_};
};

/// The fault server, behaving; or the bucket of a real server, if the environment names one:
/// WEIR_TEST_S3_URL=s3://bucket?endpoint=http://host:port, with credentials as they are for everybody, and below a
/// RetryingStore: real ones answer 500 now and then. Each subject has a prefix of its own there.
class S3Subject : public Subject {
 public:
  static const char* real_url() { return std::getenv("WEIR_TEST_S3_URL"); }

  explicit S3Subject(bool real) {
    std::string whole = real ? real_url() : start_server();
    std::string options = whole.substr(std::min(whole.size(), whole.find('?')));
    std::string place = whole.substr(0, whole.size() - options.size());
    auto created = create_store(fmt::format("{}/{}{}", place, to_hex(random_.bytes(8)), options), "v1", clock_);
    EXPECT_TRUE(created) << created.error().what;
    store_ = std::move(created).value();
    if (real) {
      plain_ = std::move(store_);
      store_ = std::make_unique<RetryingStore>(*plain_, clock_, random_);
    }
  }
  ~S3Subject() override {
    ListPage page;
    do {
      page = store_->list("", "", limits::kListedObjects).value();
      std::vector<std::string> names;
      for (const ListedObject& object : page.objects) names.push_back(object.name);
      EXPECT_TRUE(store_->remove_all(names));
    } while (page.more);
  }
  ObjectStore& store() override { return *store_; }

 private:
  std::string start_server() {
    server_ = testing::s3::FaultServer::start().value();
    variables_.emplace_back("AWS_ACCESS_KEY_ID", server_->credential().access_key);
    variables_.emplace_back("AWS_SECRET_ACCESS_KEY", server_->credential().secret_key);
    variables_.emplace_back("AWS_SESSION_TOKEN", "");
    return fmt::format("s3://bucket?endpoint={}&region=us-east-1", server_->endpoint());
  }

  std::unique_ptr<testing::s3::FaultServer> server_;
  std::list<testing::EnvironmentVariable> variables_;
  std::unique_ptr<ObjectStore> plain_;  // below store_, if that retries
  std::unique_ptr<ObjectStore> store_;
};

struct Implementation {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

class ObjectStoreConformance : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    if (GetParam().name == std::string_view("real_s3") && S3Subject::real_url() == nullptr)
      GTEST_SKIP() << "WEIR_TEST_S3_URL names no bucket of a running S3 server";
    subject_ = GetParam().make();
  }

  ObjectStore& store() { return subject_->store(); }

  std::vector<std::string> names(std::string_view prefix, std::string_view after, size_t limit) {
    std::vector<std::string> result;
    auto page = store().list(prefix, after, limit);
    EXPECT_TRUE(page) << page.error().what;
    if (!page) return result;
    for (const ListedObject& object : page->objects) result.push_back(object.name);
    return result;
  }

 private:
  std::unique_ptr<Subject> subject_;
};

TEST_P(ObjectStoreConformance, GivesBackWhatWasPut) {
  std::string bytes = SeededRandom(7).bytes(1'000'003);
  ASSERT_TRUE(store().put("chunks/ab/x.1", bytes));
  EXPECT_EQ(store().get("chunks/ab/x.1", 0, bytes.size()).value(), bytes);
}

TEST_P(ObjectStoreConformance, GivesRangesAndStopsAtTheEnd) {
  ASSERT_TRUE(store().put("a", "0123456789"));
  EXPECT_EQ(store().get("a", 0, 4).value(), "0123");
  EXPECT_EQ(store().get("a", 8, 100).value(), "89");
  EXPECT_EQ(store().get("a", 10, 5).value(), "");
  EXPECT_EQ(store().get("a", 1'000'000, 5).value(), "");
  std::string buffer = "......";
  EXPECT_EQ(store().get_into("a", 7, std::span(buffer).first(5)).value(), 3u);
  EXPECT_EQ(buffer, "789...");
}

TEST_P(ObjectStoreConformance, SaysNotFoundForAnAbsentObject) {
  ASSERT_TRUE(store().put("there/a", "x"));
  for (std::string_view name : {"a", "there", "there/b", "there/c/d"}) {
    auto got = store().get(name, 0, 1);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(got.error().code, Code::kNotFound);
    EXPECT_FALSE(store().head(name).value().has_value());
  }
}

TEST_P(ObjectStoreConformance, TellsSizeAndTime) {
  int64_t before_ns = SystemClock().realtime_ns();
  ASSERT_TRUE(store().put("a", "12345"));
  auto info = store().head("a").value();
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->size, 5u);
  EXPECT_NEAR(static_cast<double>(info->modified_ns), static_cast<double>(before_ns), 60e9);
}

TEST_P(ObjectStoreConformance, KeepsEmptyObjects) {
  ASSERT_TRUE(store().put("empty", ""));
  EXPECT_EQ(store().get("empty", 0, 10).value(), "");
  EXPECT_EQ(store().head("empty").value()->size, 0u);
}

TEST_P(ObjectStoreConformance, RefusesBytesThatAreNotOfTheirDigestIfItSaysSo) {
  if (!store().checks_digests().value()) GTEST_SKIP() << "this store does not check digests, and says so";
  const Sha256Digest other = sha256("other bytes");
  const Status put = store().put("chunks/ab/x.1", {"bytes", other});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kCorrupt);
  EXPECT_EQ(names("", "", 10), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, FindingOutWhetherItChecksDigestsLeavesNothing) {
  EXPECT_TRUE(store().checks_digests());
  EXPECT_EQ(names("", "", 10), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, ReplacesWholly) {
  ASSERT_TRUE(store().put("a", "a longer content"));
  ASSERT_TRUE(store().put("a", "short"));
  EXPECT_EQ(store().get("a", 0, 100).value(), "short");
}

TEST_P(ObjectStoreConformance, RemovesAndForgivesAbsence) {
  ASSERT_TRUE(store().put("x/y", "1"));
  ASSERT_TRUE(store().put("x/z", "2"));
  EXPECT_TRUE(store().remove("x/y"));
  EXPECT_TRUE(store().remove("x/y"));
  EXPECT_TRUE(store().remove("x"));
  EXPECT_TRUE(store().remove("never/was"));
  EXPECT_FALSE(store().head("x/y").value().has_value());
  EXPECT_EQ(names("", "", 10), std::vector<std::string>{"x/z"});
}

TEST_P(ObjectStoreConformance, RemovesManyAtOnce) {
  std::vector<std::string> all;
  for (int i = 0; i < 30; ++i) all.push_back(fmt::format("chunks/{:02x}/{}.1", i % 3, i));
  for (const std::string& name : all) ASSERT_TRUE(store().put(name, "x"));
  ASSERT_TRUE(store().put("chunks/00/kept", "x"));
  all.push_back("never/was");
  EXPECT_TRUE(store().remove_all(all));
  EXPECT_EQ(names("", "", 100), std::vector<std::string>{"chunks/00/kept"});
  EXPECT_TRUE(store().remove_all(all));
  EXPECT_TRUE(store().remove_all({}));
  EXPECT_EQ(store().remove_all(std::vector<std::string>{"chunks/00/kept", "../x"}).error().code, Code::kInvalid);
}

TEST_P(ObjectStoreConformance, RefusesNamesThatLeaveTheStore) {
  for (std::string_view name : {"", "../a", "a/../../b", "/etc/passwd", ".hidden"}) {
    EXPECT_EQ(store().put(name, "x").error().code, Code::kInvalid) << name;
    EXPECT_EQ(store().get(name, 0, 1).error().code, Code::kInvalid) << name;
    EXPECT_EQ(store().head(name).error().code, Code::kInvalid) << name;
    EXPECT_EQ(store().remove(name).error().code, Code::kInvalid) << name;
  }
}

TEST_P(ObjectStoreConformance, ListsInByteOrderByPrefix) {
  // '-' and '.' sort before '/', digits and letters behind it.
  std::vector<std::string> all = {"a-b", "a.b", "a/b", "a/c/d", "a/c0", "a0", "b/a", "c"};
  for (const std::string& name : all) ASSERT_TRUE(store().put(name, name));
  std::vector<std::string> sorted = all;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(names("", "", 100), sorted);
  EXPECT_EQ(names("a/", "", 100), (std::vector<std::string>{"a/b", "a/c/d", "a/c0"}));
  EXPECT_EQ(names("a/c", "", 100), (std::vector<std::string>{"a/c/d", "a/c0"}));
  EXPECT_EQ(names("a", "a/c/d", 100), (std::vector<std::string>{"a/c0", "a0"}));
  EXPECT_EQ(names("", "a/c", 2), (std::vector<std::string>{"a/c/d", "a/c0"}));
  EXPECT_EQ(names("zzz", "", 100), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, ListsInPagesWithoutGapOrRepetition) {
  std::vector<std::string> all;
  for (int i = 0; i < 60; ++i) all.push_back(fmt::format("chunks/{:02x}/{:03}.1", i % 7, i));
  for (const std::string& name : all) ASSERT_TRUE(store().put(name, "x"));
  std::sort(all.begin(), all.end());
  for (size_t limit : {1, 7, 59, 60, 61}) {
    std::vector<std::string> seen;
    ListPage page;
    do {
      page = store().list("chunks/", seen.empty() ? "" : seen.back(), limit).value();
      ASSERT_LE(page.objects.size(), limit);
      for (const ListedObject& object : page.objects) seen.push_back(object.name);
    } while (page.more);
    EXPECT_EQ(seen, all) << "limit " << limit;
  }
}

TEST_P(ObjectStoreConformance, ShowsOnlyWholeObjectsWhileManyWriteOneName) {
  constexpr size_t kBytes = 200'000;
  ASSERT_TRUE(store().put("chunks/aa/shared", std::string(kBytes, 'z')));
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (char letter : {'a', 'b', 'c'}) {
    writers.emplace_back([&, letter] {
      std::string bytes(kBytes, letter);
      while (!stop) EXPECT_TRUE(store().put("chunks/aa/shared", bytes));
    });
  }
  for (int i = 0; i < 200; ++i) {
    auto bytes = store().get("chunks/aa/shared", 0, kBytes + 1);
    ASSERT_TRUE(bytes) << bytes.error().what;
    ASSERT_EQ(bytes->size(), kBytes);
    ASSERT_EQ(bytes->find_first_not_of((*bytes)[0]), std::string::npos);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

TEST_P(ObjectStoreConformance, KeepsEveryNameOfManyWriters) {
  constexpr int kThreads = 4;
  constexpr int kEach = 40;
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        std::string name = fmt::format("chunks/{:02x}/{}.{}", i % 16, i, thread);
        EXPECT_TRUE(store().put(name, name));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  auto page = store().list("", "", 1000).value();
  ASSERT_EQ(page.objects.size(), static_cast<size_t>(kThreads * kEach));
  for (const ListedObject& object : page.objects) EXPECT_EQ(store().get(object.name, 0, 100).value(), object.name);
}

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreConformance,
                         ::testing::Values(Implementation{"memory", [] { return std::make_unique<MemorySubject>(); }},
                                           Implementation{"directory",
                                                          [] { return std::make_unique<DirectorySubject>(); }},
                                           Implementation{"wrapped", [] { return std::make_unique<WrappedSubject>(); }},
                                           Implementation{"s3", [] { return std::make_unique<S3Subject>(false); }},
                                           Implementation{"real_s3", [] { return std::make_unique<S3Subject>(true); }}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace weir::object
