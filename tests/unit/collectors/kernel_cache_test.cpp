#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "evidence/collectors/kernel_types.hpp"

namespace lab::evidence {
namespace {

class ProbeCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/lab-cache-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::filesystem::path folder() const { return root_ / "cache" / "lab"; }
  std::filesystem::path only_file() const { return std::filesystem::directory_iterator(folder())->path(); }

  std::filesystem::path root_;
};

TEST_F(ProbeCacheTest, KeepsAndFinds) {
  const ProbeCache cache(folder());
  EXPECT_EQ(cache.find("kernel"), "");
  EXPECT_TRUE(cache.keep("kernel", std::string("types\0bytes", 11)));
  EXPECT_EQ(cache.find("kernel"), std::string("types\0bytes", 11));
  EXPECT_EQ(cache.find("another kernel"), "");
}

TEST_F(ProbeCacheTest, LeavesNothingBesidesTheFile) {
  const ProbeCache cache(folder());
  EXPECT_TRUE(cache.keep("kernel", "types"));
  EXPECT_TRUE(cache.keep("kernel", "types"));
  const auto files = std::distance(std::filesystem::directory_iterator(folder()), {});
  EXPECT_EQ(files, 1);
  EXPECT_EQ(std::filesystem::status(only_file()).permissions(), std::filesystem::perms(0644));
}

TEST_F(ProbeCacheTest, DoesNotUseATornFile) {
  const ProbeCache cache(folder());
  ASSERT_TRUE(cache.keep("kernel", "some types"));
  std::filesystem::resize_file(only_file(), std::filesystem::file_size(only_file()) - 1);
  EXPECT_EQ(cache.find("kernel"), "");
  ASSERT_TRUE(cache.keep("kernel", "some types"));
  EXPECT_EQ(cache.find("kernel"), "some types");
}

TEST_F(ProbeCacheTest, DoesNotUseChangedBytes) {
  const ProbeCache cache(folder());
  ASSERT_TRUE(cache.keep("kernel", "some types"));
  std::fstream file(only_file(), std::ios::in | std::ios::out);
  file.seekp(-1, std::ios::end);
  file << 'x';
  file.close();
  EXPECT_EQ(cache.find("kernel"), "");
}

TEST_F(ProbeCacheTest, DoesNotTrustAFileOthersMayWrite) {
  const ProbeCache cache(folder());
  ASSERT_TRUE(cache.keep("kernel", "types"));
  ASSERT_EQ(::chmod(only_file().c_str(), 0666), 0);
  EXPECT_EQ(cache.find("kernel"), "");
}

TEST_F(ProbeCacheTest, DoesNotTrustAFolderOthersMayWrite) {
  const ProbeCache cache(folder());
  ASSERT_TRUE(cache.keep("kernel", "types"));
  ASSERT_EQ(::chmod(folder().c_str(), 0777), 0);
  EXPECT_EQ(cache.find("kernel"), "");
  EXPECT_FALSE(cache.keep("kernel", "types"));
}

TEST_F(ProbeCacheTest, FollowsNoLink) {
  const ProbeCache cache(folder());
  ASSERT_TRUE(cache.keep("kernel", "types"));
  const auto file = only_file(), target = root_ / "elsewhere";
  std::filesystem::rename(file, target);
  std::filesystem::create_symlink(target, file);
  EXPECT_EQ(cache.find("kernel"), "");
  std::filesystem::remove_all(folder());
  std::filesystem::create_directory(root_ / "real");
  std::filesystem::create_directory_symlink(root_ / "real", folder());
  EXPECT_FALSE(cache.keep("kernel", "types"));
}

TEST_F(ProbeCacheTest, ANewKeyForEachProgram) {
  EXPECT_NE(probe_key("one object", "names"), probe_key("another object", "names"));
  EXPECT_NE(probe_key("one object", "names"), probe_key("one object", "other names"));
  EXPECT_EQ(probe_key("one object", "names"), probe_key("one object", "names"));
}

TEST_F(ProbeCacheTest, WithoutAFolderNothingIsKept) {
  const ProbeCache cache("");
  EXPECT_FALSE(cache.keep("kernel", "types"));
  EXPECT_EQ(cache.find("kernel"), "");
}

}  // namespace
}  // namespace lab::evidence
