#include "testing/s3/object_table.h"

#include <algorithm>

#include "base/hex.h"
#include "base/limits.h"

namespace weir::testing::s3 {

std::string Object::etag() const { return '"' + to_hex(sha256.substr(0, 16)) + '"'; }

namespace {

ListedKey describe(const std::string& key, const Object& object) {
  return {key, object.bytes.size(), object.modified_ns, object.etag()};
}

}  // namespace

void ObjectTable::make_bucket(std::string_view bucket) {
  MutexLock lock(mutex_);
  buckets_.try_emplace(std::string(bucket));
}

bool ObjectTable::has_bucket(std::string_view bucket) const {
  MutexLock lock(mutex_);
  return buckets_.find(bucket) != buckets_.end();
}

void ObjectTable::change(Bucket& bucket, std::string_view key, ObjectPointer object) {
  const auto at = bucket.objects.find(key);
  std::optional<ListedKey> before;
  if (at != bucket.objects.end()) before = describe(at->first, *at->second);
  bucket.history.push_back({clock_.monotonic_ns(), std::string(key), std::move(before)});
  if (bucket.history.size() > limits::kTestServerHistory) bucket.history.pop_front();
  if (object) {
    bucket.objects.insert_or_assign(std::string(key), std::move(object));
  } else if (at != bucket.objects.end()) {
    bucket.objects.erase(at);
  }
}

ObjectTable::PutResult ObjectTable::put(std::string_view bucket, std::string_view key, ObjectPointer object,
                                        bool only_if_absent) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return PutResult::kNoBucket;
  if (only_if_absent && found->second.objects.find(key) != found->second.objects.end()) return PutResult::kExists;
  change(found->second, key, std::move(object));
  return PutResult::kDone;
}

ObjectPointer ObjectTable::get(std::string_view bucket, std::string_view key) const {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return nullptr;
  const auto at = found->second.objects.find(key);
  return at == found->second.objects.end() ? nullptr : at->second;
}

void ObjectTable::remove(std::string_view bucket, std::string_view key) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found != buckets_.end()) change(found->second, key, nullptr);
}

void ObjectTable::replace_bytes(std::string_view bucket, std::string_view key, std::string bytes) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return;
  const auto at = found->second.objects.find(key);
  if (at == found->second.objects.end()) return;
  Object harmed = *at->second;
  harmed.bytes = std::move(bytes);
  at->second = std::make_shared<const Object>(std::move(harmed));
}

std::vector<ListedKey> ObjectTable::list(std::string_view bucket, std::string_view prefix, std::string_view after,
                                         size_t limit, int64_t age_ms) const {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return {};
  const Objects& objects = found->second.objects;
  // Where the past differs from now.
  std::map<std::string, std::optional<ListedKey>, std::less<>> past;
  const int64_t then_ns = clock_.monotonic_ns() - age_ms * 1'000'000;
  const auto& history = found->second.history;
  for (auto change = history.rbegin(); age_ms > 0 && change != history.rend() && change->time_ns > then_ns; change++)
    past[change->key] = change->before;

  const auto behind = [&](const auto& sorted) {
    return after < prefix ? sorted.lower_bound(prefix) : sorted.upper_bound(after);
  };
  std::vector<ListedKey> listed;
  auto at = behind(objects);
  auto was = behind(past);
  const auto in_reach = [&](const auto& place, const auto& sorted) {
    return place != sorted.end() && place->first.starts_with(prefix);
  };
  while (listed.size() < limit && (in_reach(at, objects) || in_reach(was, past))) {
    const bool from_past = in_reach(was, past) && (!in_reach(at, objects) || was->first <= at->first);
    if (!from_past) {
      listed.push_back(describe(at->first, *at->second));
      at++;
      continue;
    }
    if (in_reach(at, objects) && at->first == was->first) at++;
    if (was->second) listed.push_back(*was->second);
    was++;
  }
  return listed;
}

}  // namespace weir::testing::s3
