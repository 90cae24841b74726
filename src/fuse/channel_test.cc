#include "fuse/channel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>

#include "base/patience.h"
#include "fuse/device.h"
#include "fuse/wire.h"
#include "testing/fake_kernel.h"

namespace weir::fuse {
namespace {

using testing::Body;
using testing::FakeKernel;

/// Answers with a function, or keeps requests for the test to answer.
class TestHandler : public Handler {
 public:
  using Answer = std::function<void(const Request&, Responder)>;

  void start(const Negotiated& negotiated) override { started_minor_ = negotiated.minor; }
  void handle(const Request& request, Responder responder) override {
    if (request.header.opcode == FUSE_SETLKW) return keep(std::move(responder));
    if (answer_) return answer_(request, std::move(responder));
    responder.ok();
  }
  void interrupt(uint64_t unique) override {
    std::lock_guard lock(mutex_);
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      if (kept->unique() != unique) continue;
      kept->fail(Code::kInterrupted);
      kept_.erase(kept);
      return;
    }
  }

  std::vector<Responder> await_kept(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return kept_.size() >= count; });
    EXPECT_GE(kept_.size(), count);
    return std::move(kept_);
  }

  uint32_t started_minor_ = 0;
  Answer answer_;

 private:
  void keep(Responder responder) {
    std::lock_guard lock(mutex_);
    if (responder.interruption().raised()) return responder.fail(Code::kInterrupted);
    kept_.push_back(std::move(responder));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Responder> kept_;
};

/// The channel counts an answer just after the caller has it.
bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) ::usleep(1000);
  return condition();
}

class ChannelTest : public ::testing::Test {
 protected:
  void start(int workers = 3, uint32_t minor = kProtocolMinor) {
    const uint64_t init = kernel_.send_init(minor);
    auto devices = open_devices(kernel_.take_device(), workers);
    ASSERT_TRUE(devices.has_value());
    memory_ = std::move(SharedMemory::create({.requests = 16, .handles = 4, .contents = 1})).value();
    auto channel = Channel::start(std::move(*devices), memory_, handler_);
    ASSERT_TRUE(channel.has_value()) << channel.error().what;
    channel_ = std::move(*channel);
    init_answer_ = kernel_.wait(init).value();
  }

  TestHandler handler_;
  FakeKernel kernel_;
  std::shared_ptr<SharedMemory> memory_;
  std::unique_ptr<Channel> channel_;
  FakeKernel::Answer init_answer_;
};

TEST_F(ChannelTest, AnswersInitAndTellsTheHandler) {
  start(3, 38);
  EXPECT_EQ(init_answer_.error, 0);
  const auto out = init_answer_.as<InitOut>();
  EXPECT_EQ(out.major, 7u);
  EXPECT_EQ(out.max_write, 1u << 20);
  EXPECT_EQ(handler_.started_minor_, 38u);
  EXPECT_EQ(channel_->negotiated().kernel_minor, 38u);
}

TEST_F(ChannelTest, RefusesAKernelThatIsTooOld) {
  const uint64_t init = kernel_.send_init(12, 0);
  auto memory = std::move(SharedMemory::create({.requests = 4, .handles = 1, .contents = 1})).value();
  auto channel = Channel::start(std::move(open_devices(kernel_.take_device(), 2)).value(), std::move(memory), handler_);
  ASSERT_FALSE(channel.has_value());
  EXPECT_EQ(channel.error().code, Code::kUnsupported);
  EXPECT_EQ(kernel_.wait(init)->error, EPROTO);
}

TEST_F(ChannelTest, RefusesADeviceThatDoesNotBeginWithInit) {
  kernel_.send(FUSE_GETATTR, 1);
  auto memory = std::move(SharedMemory::create({.requests = 4, .handles = 1, .contents = 1})).value();
  auto channel = Channel::start(std::move(open_devices(kernel_.take_device(), 2)).value(), std::move(memory), handler_);
  EXPECT_EQ(channel.error().code, Code::kInvalid);
}

TEST_F(ChannelTest, ManyRequestsFromManyThreadsGetTheirOwnAnswers) {
  handler_.answer_ = [](const Request& request, Responder responder) {
    const uint64_t answer[2] = {request.header.unique, request.header.nodeid * 3};
    responder.ok({reinterpret_cast<const char*>(answer), sizeof(answer)});
  };
  start();
  std::vector<std::thread> callers;
  for (uint64_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([this, caller] {
      for (uint64_t i = 0; i < 500; ++i) {
        const uint64_t node = caller * 1000 + i;
        const uint64_t unique = kernel_.send(FUSE_GETATTR, node);
        const auto answer = kernel_.wait(unique);
        ASSERT_TRUE(answer.has_value());
        ASSERT_EQ(answer->payload.size(), 16u);
        EXPECT_EQ(answer->as<uint64_t>(), unique);
        uint64_t tripled = 0;
        std::memcpy(&tripled, answer->payload.data() + 8, 8);
        EXPECT_EQ(tripled, node * 3);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(kernel_.stray_answers(), 0u);
  EXPECT_TRUE(eventually([this] { return channel_->statistics(FUSE_GETATTR).requests == 2000; }));
  EXPECT_TRUE(eventually([this] { return channel_->unanswered() == 0; }));
}

TEST_F(ChannelTest, LateAnswersFromAnotherThreadArriveWhileOthersAreServed) {
  start(2);
  std::vector<uint64_t> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(kernel_.send(FUSE_SETLKW, 7));
  std::vector<Responder> kept = handler_.await_kept(5);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  EXPECT_TRUE(eventually([this] { return channel_->unanswered() == 5; }));
  std::thread([&kept] {
    for (Responder& responder : kept) responder.ok("late");
  }).join();
  for (uint64_t unique : waiting) EXPECT_EQ(kernel_.wait(unique)->payload, "late");
  EXPECT_TRUE(eventually([this] { return channel_->unanswered() == 0; }));
}

TEST_F(ChannelTest, MoreWaitingRequestsThanBuffersAreAllAnswered) {
  start(2);
  std::vector<uint64_t> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(kernel_.send(FUSE_SETLKW, 7));
  std::vector<Responder> kept = handler_.await_kept(100);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  for (Responder& responder : kept) responder.ok();
  for (uint64_t unique : waiting) EXPECT_EQ(kernel_.wait(unique)->error, 0);
  EXPECT_EQ(kernel_.stray_answers(), 0u);
}

TEST_F(ChannelTest, AForgottenResponderIsAnsweredEio) {
  handler_.answer_ = [](const Request&, Responder) {};
  start();
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, EIO);
  EXPECT_TRUE(eventually([this] { return channel_->statistics(FUSE_GETATTR).failures == 1; }));
}

TEST_F(ChannelTest, AForgetIsNeverAnswered) {
  handler_.answer_ = [](const Request&, Responder) {};
  start();
  kernel_.send(FUSE_FORGET, 5, Body().add(fuse_forget_in{1}));
  kernel_.send(FUSE_BATCH_FORGET, 0, Body().add(fuse_batch_forget_in{}));
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, EIO);
  EXPECT_EQ(kernel_.stray_answers(), 0u);
}

TEST_F(ChannelTest, AnExceptionBecomesEio) {
  handler_.answer_ = [](const Request& request, Responder responder) {
    if (request.header.nodeid == 13) throw std::runtime_error("foreign");
    responder.ok();
  };
  start();
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 13).error, EIO);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
}

TEST_F(ChannelTest, CodesBecomeErrnos) {
  handler_.answer_ = [](const Request& request, Responder responder) {
    responder.fail(Error{static_cast<Code>(request.header.nodeid), "x"});
  };
  start();
  EXPECT_EQ(kernel_.call(FUSE_LOOKUP, static_cast<uint64_t>(Code::kNotFound)).error, ENOENT);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, static_cast<uint64_t>(Code::kNoAttribute)).error, ENODATA);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, static_cast<uint64_t>(Code::kStale)).error, ESTALE);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, static_cast<uint64_t>(Code::kCorrupt)).error, EIO);
}

TEST_F(ChannelTest, StatOfAFileThatAnotherNodeReplacedLooksForItsNameAgain) {
  handler_.answer_ = [](const Request&, Responder responder) { responder.fail(Error{Code::kNotFound, "x"}); };
  start();
  for (const uint32_t opcode : {FUSE_GETATTR, FUSE_SETATTR, FUSE_GETXATTR, FUSE_READLINK})
    EXPECT_EQ(kernel_.call(opcode, 7).error, ESTALE) << opcode;
  for (const uint32_t opcode : {FUSE_LOOKUP, FUSE_UNLINK, FUSE_RENAME2})
    EXPECT_EQ(kernel_.call(opcode, 7).error, ENOENT) << opcode;
}

TEST_F(ChannelTest, AnInterruptEndsAWaitingRequest) {
  start();
  const uint64_t waiting = kernel_.send(FUSE_SETLKW, 7);
  EXPECT_FALSE(kernel_.wait(waiting, 50).has_value());
  kernel_.send_interrupt(waiting);
  EXPECT_EQ(kernel_.wait(waiting)->error, EINTR);
}

TEST_F(ChannelTest, AnInterruptReadBeforeItsRequestIsNotLost) {
  start(1);
  const uint64_t before = kernel_.send(FUSE_GETATTR, 1);
  kernel_.send_interrupt(before + 2);
  const uint64_t waiting = kernel_.send(FUSE_SETLKW, 7);
  ASSERT_EQ(waiting, before + 2);
  EXPECT_EQ(kernel_.wait(waiting)->error, EINTR);
}

TEST_F(ChannelTest, AnInterruptOfAnAnsweredRequestDoesNothing) {
  start();
  const uint64_t unique = kernel_.send(FUSE_GETATTR, 1);
  EXPECT_EQ(kernel_.wait(unique)->error, 0);
  kernel_.send_interrupt(unique);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  EXPECT_EQ(kernel_.stray_answers(), 0u);
}

/// What a handler does that needs a server which is away.
class Away {
 public:
  void answer(Responder responder) {
    while (away_) {
      if (Status asked = Patience::ask(); !asked) return responder.fail(asked.error());
      ::usleep(1000);
    }
    responder.ok();
  }
  void come_back() { away_ = false; }

 private:
  std::atomic<bool> away_ = true;
};

TEST_F(ChannelTest, RequestsThatWaitForAServerHoldUpNobodyElse) {
  Away server;
  handler_.answer_ = [&](const Request& request, Responder responder) {
    if (request.header.opcode != FUSE_LOOKUP) return responder.ok();
    server.answer(std::move(responder));
  };
  start(2);
  std::vector<uint64_t> waiting;
  for (uint64_t i = 0; i < 50; ++i) waiting.push_back(kernel_.send(FUSE_LOOKUP, 1, "a name that is long enough"));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(kernel_.call(FUSE_READ, 1).error, 0);
  EXPECT_FALSE(kernel_.wait(waiting.front(), 10).has_value());
  server.come_back();
  for (const uint64_t unique : waiting) EXPECT_EQ(kernel_.wait(unique)->error, 0);
  EXPECT_EQ(kernel_.stray_answers(), 0u);
}

TEST_F(ChannelTest, OfSignalsOnlyTheOneThatEndsTheCallerEndsItsWaitForAServer) {
  Away server;
  handler_.answer_ = [&](const Request&, Responder responder) { server.answer(std::move(responder)); };
  start(2);
  kernel_.set_caller({.pid = static_cast<uint32_t>(::getpid())});
  const uint64_t signalled = kernel_.send(FUSE_LOOKUP, 1, "name");
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  kernel_.set_caller({.pid = static_cast<uint32_t>(child)});
  const uint64_t killed = kernel_.send(FUSE_LOOKUP, 1, "name");
  EXPECT_FALSE(kernel_.wait(killed, 50).has_value());
  kernel_.send_interrupt(signalled);
  kernel_.send_interrupt(killed);
  EXPECT_EQ(kernel_.wait(killed)->error, EINTR);
  EXPECT_FALSE(kernel_.wait(signalled, 50).has_value());
  server.come_back();
  EXPECT_EQ(kernel_.wait(signalled)->error, 0);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(ChannelTest, RequestsThatWaitForAServerAreLeftToASuccessor) {
  Away server;
  handler_.answer_ = [&](const Request&, Responder responder) { server.answer(std::move(responder)); };
  start(2);
  const uint64_t waiting = kernel_.send(FUSE_LOOKUP, 1, "name");
  EXPECT_FALSE(kernel_.wait(waiting, 50).has_value());
  channel_->stop();
  EXPECT_FALSE(kernel_.wait(waiting, 50).has_value());
  EXPECT_EQ(channel_->unanswered(), 1u);
  server.come_back();
}

TEST_F(ChannelTest, MalformedMessagesAreRefusedAndServiceGoesOn) {
  start();
  kernel_.send_raw("x");
  kernel_.send_raw(std::string(sizeof(fuse_in_header) - 1, '\xff'));
  fuse_in_header nameless{};
  nameless.len = sizeof(nameless);
  nameless.opcode = FUSE_GETATTR;
  kernel_.send_raw(Body().add(nameless));
  const uint64_t unique = kernel_.send(FUSE_SETLKW, 1);  // to learn the next unique
  fuse_in_header lying{};
  lying.len = 4000;
  lying.opcode = FUSE_GETATTR;
  lying.unique = unique + 1000;
  kernel_.send_raw(Body().add(lying).bytes("body"));
  fuse_in_header interrupt{};
  interrupt.len = sizeof(interrupt);
  interrupt.opcode = FUSE_INTERRUPT;
  interrupt.unique = unique | 1;
  kernel_.send_raw(Body().add(interrupt));
  EXPECT_EQ(kernel_.call(FUSE_INIT, 0).error, EINVAL);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  EXPECT_EQ(kernel_.call(9999, 1).error, 0);  // unknown opcodes are the handler's business
  for (Responder& responder : handler_.await_kept(1)) responder.ok();
  EXPECT_EQ(kernel_.wait(unique)->error, 0);
  // The refusal of the lying one, which the fake kernel never sent properly. Another worker may be a bit later with it.
  for (int i = 0; i < 1000 && kernel_.stray_answers() == 0; ++i) ::usleep(1000);
  EXPECT_EQ(kernel_.stray_answers(), 1u);
}

TEST_F(ChannelTest, CarriesAMebibyteBothWays) {
  handler_.answer_ = [](const Request& request, Responder responder) {
    const std::string content(request.body);
    const std::string_view half = std::string_view(content).substr(0, content.size() / 2);
    const std::string_view rest = std::string_view(content).substr(half.size());
    const iovec pieces[2] = {{const_cast<char*>(half.data()), half.size()},
                             {const_cast<char*>(rest.data()), rest.size()}};
    responder.ok(pieces);
  };
  start();
  const size_t size = std::min<size_t>(limits::kFuseIoBytes + 80, kernel_.message_bytes_max() - 4096);
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 >> 3);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(kernel_.call(FUSE_WRITE, 1, content).payload == content);
}

TEST_F(ChannelTest, ManyPiecesMakeOneReply) {
  handler_.answer_ = [](const Request&, Responder responder) {
    std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::vector<iovec> pieces;
    for (char& character : text) pieces.push_back({&character, 1});
    responder.ok(pieces);
  };
  start();
  EXPECT_EQ(kernel_.call(FUSE_READ, 1).payload, "0123456789abcdefghijklmnopqrstuvwxyz");
}

TEST_F(ChannelTest, NotificationsKeepTheirOrderAndReachTheKernelWhileRequestsWait) {
  start(1);
  kernel_.send(FUSE_SETLKW, 7);
  std::vector<Responder> kept = handler_.await_kept(1);
  Notifier& notifier = channel_->notifier();
  Status done = error(Code::kInternal, "not called");
  EXPECT_TRUE(notifier.invalidate_inode(5, 4096, 0));
  EXPECT_TRUE(notifier.expire_entry(1, "name"));
  EXPECT_TRUE(notifier.invalidate_entry(1, "other"));
  EXPECT_TRUE(notifier.delete_entry(1, 5, "gone"));
  EXPECT_TRUE(notifier.store(5, 8192, "bytes", [&done](const Status& status) { done = status; }));
  EXPECT_TRUE(notifier.drain_for(10'000));
  EXPECT_TRUE(done.has_value());

  auto next = kernel_.wait_notification().value();
  EXPECT_EQ(next.code, FUSE_NOTIFY_INVAL_INODE);
  fuse_notify_inval_inode_out inode{};
  ASSERT_EQ(next.payload.size(), sizeof(inode));
  std::memcpy(&inode, next.payload.data(), sizeof(inode));
  EXPECT_EQ(inode.ino, 5u);
  EXPECT_EQ(inode.off, 4096);

  next = kernel_.wait_notification().value();
  EXPECT_EQ(next.code, FUSE_NOTIFY_INVAL_ENTRY);
  fuse_notify_inval_entry_out entry{};
  std::memcpy(&entry, next.payload.data(), sizeof(entry));
  EXPECT_EQ(entry.flags, kExpireOnly);
  EXPECT_EQ(next.payload.substr(sizeof(entry)), std::string("name\0", 5));

  next = kernel_.wait_notification().value();
  std::memcpy(&entry, next.payload.data(), sizeof(entry));
  EXPECT_EQ(entry.flags, 0u);
  EXPECT_EQ(kernel_.wait_notification()->code, FUSE_NOTIFY_DELETE);
  next = kernel_.wait_notification().value();
  EXPECT_EQ(next.code, FUSE_NOTIFY_STORE);
  EXPECT_EQ(next.payload.substr(sizeof(fuse_notify_store_out)), "bytes");
  kept.front().ok();
}

TEST_F(ChannelTest, UnmountEndsTheWorkersAndLateAnswersAreHarmless) {
  start();
  kernel_.send(FUSE_SETLKW, 7);
  std::vector<Responder> kept = handler_.await_kept(1);
  kernel_.unmount();
  channel_->wait();
  channel_.reset();
  kept.front().ok("too late");
}

TEST_F(ChannelTest, AfterUnmountANotificationFailsInsteadOfHanging) {
  start();
  kernel_.unmount();
  channel_->wait();
  Status done;
  EXPECT_TRUE(channel_->notifier().invalidate_inode(1, 0, 0, [&done](const Status& status) { done = status; }));
  channel_->notifier().drain();
  EXPECT_FALSE(done.has_value());
}

TEST_F(ChannelTest, AnIdleVolumeUsesNoProcessorTime) {
  start();
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  ::usleep(20'000);
  const auto used_in_300_ms = [] {
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    ::usleep(300'000);
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    return static_cast<double>(after.tv_sec - before.tv_sec) * 1e3 +
           static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e6;
  };
  // A machine that is busy or emulated charges some of its own; a thread that spins would be in every window.
  double used_ms = used_in_300_ms();
  for (int again = 0; again < 9 && used_ms >= 5.0; ++again) used_ms = used_in_300_ms();
  EXPECT_LT(used_ms, 5.0);
}

// What a successor does, in one process: the first channel stops with a request unanswered and one unread.
TEST_F(ChannelTest, ASuccessorFindsTheUnansweredRequestInMemoryAndServesTheUnreadOne) {
  const uint64_t init = kernel_.send_init();
  FileDescriptor device = kernel_.take_device();
  FileDescriptor kept_device(::dup(device.get()));
  memory_ = std::move(SharedMemory::create({.requests = 8, .handles = 1, .contents = 1})).value();
  auto first =
      std::move(Channel::start(std::move(open_devices(std::move(device), 2)).value(), memory_, handler_)).value();
  EXPECT_EQ(kernel_.wait(init)->error, 0);
  EXPECT_EQ(kernel_.call(FUSE_GETATTR, 1).error, 0);
  const uint64_t waiting = kernel_.send(FUSE_SETLKW, 99);
  std::vector<Responder> lost = handler_.await_kept(1);
  first->stop();
  const uint64_t unread = kernel_.send(FUSE_GETATTR, 1);
  EXPECT_FALSE(kernel_.wait(unread, 100).has_value());

  auto successor_memory = std::move(SharedMemory::attach(FileDescriptor(::dup(memory_->fd())))).value();
  std::vector<uint64_t> unanswered;
  for (uint32_t index = 0; index < successor_memory->request_count(); ++index) {
    fuse_in_header header{};
    std::memcpy(&header, successor_memory->request_buffer(index).data(), sizeof(header));
    if (header.len != 0 && successor_memory->request_state(index).answered != header.unique) {
      unanswered.push_back(header.unique);
      EXPECT_EQ(header.nodeid, 99u);
    }
  }
  EXPECT_EQ(unanswered, std::vector<uint64_t>{waiting});

  auto second = std::move(Channel::start(std::move(open_devices(std::move(kept_device), 2)).value(),
                                         std::move(successor_memory), handler_))
                    .value();
  EXPECT_EQ(second->negotiated().flags, first->negotiated().flags);
  EXPECT_EQ(kernel_.wait(unread)->error, 0);
  std::vector<Responder> again = handler_.await_kept(1);
  EXPECT_EQ(again.front().unique(), waiting);
  again.front().ok();
  EXPECT_EQ(kernel_.wait(waiting)->error, 0);
}

}  // namespace
}  // namespace weir::fuse
