#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "kv/engine.h"

/// Threads that take turns at every call of the engine, in an order that a seed decides: any interleaving of
/// transactions can come up, and the same one comes up again for the same seed.
namespace weir::meta {

class Turns {
 public:
  explicit Turns(uint64_t seed) : random_(seed) {}

  /// Blocks: until all jobs are done.
  void run(const std::vector<std::function<void()>>& jobs) {
    begin(jobs.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < jobs.size(); ++i)
      threads.emplace_back([this, &jobs, i] {
        self() = static_cast<int>(i);
        wait_for_turn();
        jobs[i]();
        end_turn();
      });
    pass_on();
    for (std::thread& thread : threads) thread.join();
  }

  /// Lets another one go on, or the same. Nothing outside of jobs.
  void yield() {
    if (self() < 0) return;
    pass_on();
    wait_for_turn();
  }

 private:
  static int& self() {
    thread_local int index = -1;
    return index;
  }
  void begin(size_t jobs) {
    MutexLock lock(mutex_);
    alive_.clear();
    for (size_t i = 0; i < jobs; ++i) alive_.insert(static_cast<int>(i));
    current_ = -1;
  }
  void pass_on() {
    MutexLock lock(mutex_);
    if (alive_.empty()) return;
    auto next = alive_.begin();
    std::advance(next, static_cast<ptrdiff_t>(random_.below(alive_.size())));
    current_ = *next;
    changed_.notify_all();
  }
  void wait_for_turn() {
    MutexLock lock(mutex_);
    while (current_ != self()) changed_.wait(mutex_);
  }
  void end_turn() {
    {
      MutexLock lock(mutex_);
      alive_.erase(self());
    }
    pass_on();
  }

  Mutex mutex_;
  ConditionVariable changed_;
  SeededRandom random_ GUARDED_BY(mutex_);
  std::set<int> alive_ GUARDED_BY(mutex_);
  int current_ GUARDED_BY(mutex_) = -1;
};

/// An engine whose callers take turns. Waiting for a fence is passing the turn on, so the engine below never blocks.
class TurnEngine final : public kv::Engine {
 public:
  TurnEngine(kv::Engine& inner, Turns& turns) : inner_(inner), turns_(turns) {}
  std::unique_ptr<kv::Transaction> begin() override;
  Status barrier() override {
    turns_.yield();
    return inner_.barrier();
  }
  kv::Capabilities capabilities() const override { return inner_.capabilities(); }
  std::string name() const override { return inner_.name(); }

 private:
  friend class TurnTransaction;
  kv::Engine& inner_;
  Turns& turns_;
  std::map<Bytes, const void*> fences_;
};

class TurnTransaction final : public kv::Transaction {
 public:
  explicit TurnTransaction(TurnEngine& engine) : engine_(engine), inner_(engine.inner_.begin()) {}
  ~TurnTransaction() override {
    inner_.reset();
    release();
  }

  /// Others may come between keys, linked rows and scans: an engine promises no common moment.
  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    kv::ReadAnswer answer;
    engine_.turns_.yield();
    keys_.insert(batch.keys.begin(), batch.keys.end());
    ASSIGN_OR_RETURN(answer.values, inner_->get_many(batch.keys));
    for (const kv::ReadBatch::Link& link : batch.links) {
      const auto key = kv::linked_key(link, answer.values[link.from]);
      engine_.turns_.yield();
      if (key) keys_.insert(*key);
      ASSIGN_OR_RETURN(auto value, key ? inner_->get(*key) : Result<std::optional<kv::Value>>());
      answer.linked.push_back(std::move(value));
    }
    for (const kv::ReadBatch::Scan& scan : batch.scans) {
      engine_.turns_.yield();
      ASSIGN_OR_RETURN(auto rows, inner_->scan(scan.range, scan.limit, scan.reverse));
      answer.scans.push_back(std::move(rows));
    }
    return answer;
  }
  std::optional<kv::ReadAnswer> recall(const kv::ReadBatch& batch) override {
    auto answer = inner_->recall(batch);
    if (!answer) return std::nullopt;
    keys_.insert(batch.keys.begin(), batch.keys.end());
    for (const kv::ReadBatch::Link& link : batch.links)
      if (const auto key = kv::linked_key(link, answer->values[link.from])) keys_.insert(*key);
    return answer;
  }
  void expect(std::string_view key, kv::Version version) override {
    keys_.insert(Bytes(key));
    inner_->expect(key, version);
  }
  Status fence(std::string_view key) override {
    engine_.turns_.yield();
    const Bytes owned(key);
    TRY(wait_for_others({owned}));
    engine_.fences_[owned] = this;
    fencing_ = true;
    return inner_->fence(key);
  }
  void put(std::string_view key, std::string_view bytes) override {
    keys_.insert(Bytes(key));
    inner_->put(key, bytes);
  }
  void erase(std::string_view key) override {
    keys_.insert(Bytes(key));
    inner_->erase(key);
  }
  const kv::WriteSet& writes() const override { return inner_->writes(); }
  Result<kv::Version> commit() override {
    engine_.turns_.yield();
    TRY(wait_for_others(keys_));
    auto version = inner_->commit();
    release();
    return version;
  }

 private:
  bool fenced_by_others(const std::set<Bytes>& keys) const {
    for (const auto& [key, owner] : engine_.fences_)
      if (owner != this && keys.contains(key)) return true;
    return false;
  }
  Status wait_for_others(const std::set<Bytes>& keys) {
    while (fenced_by_others(keys)) {
      if (fencing_) return error(Code::kConflict, "two fences would wait for each other");
      engine_.turns_.yield();
    }
    return {};
  }
  void release() {
    std::erase_if(engine_.fences_, [this](const auto& fence) { return fence.second == this; });
    fencing_ = false;
  }

  TurnEngine& engine_;
  std::unique_ptr<kv::Transaction> inner_;
  std::set<Bytes> keys_;
  bool fencing_ = false;
};

inline std::unique_ptr<kv::Transaction> TurnEngine::begin() { return std::make_unique<TurnTransaction>(*this); }

}  // namespace weir::meta
