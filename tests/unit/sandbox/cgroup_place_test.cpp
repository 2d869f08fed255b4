#include "sandbox/cgroup_place.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lab::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHybrid =
    "25 20 0:22 / /proc rw,relatime - proc proc rw\n"
    "31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:27 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
    "33 30 0:28 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
    "34 30 0:29 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n";
constexpr const char* kMembership = "9:pids:/docker/abc/x\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/user.slice\n";

TEST(CgroupPlace, HierarchiesKnowTheirControllersAndOurGroup) {
  const auto all = parse_hierarchies(kHybrid, kMembership);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].mount, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(all[0].own, "");
  EXPECT_EQ(all[1].own, "/a/b");
  EXPECT_EQ(all[2].own, "/x");  // beneath the part that is mounted
  EXPECT_TRUE(all[3].unified);
  EXPECT_EQ(all[3].own, "/user.slice");
}

TEST(CgroupPlace, VersionOneIsBeneathOurOwnGroup) {
  const auto places = places_for({"memory", "pids", "cpu", "hugetlb"}, parse_hierarchies(kHybrid, kMembership));
  ASSERT_EQ(places.size(), 4u);
  EXPECT_EQ(places[0]->parent, "/sys/fs/cgroup/memory/a/b");
  EXPECT_EQ(places[1]->parent, "/sys/fs/cgroup/pids/x");
  EXPECT_EQ(places[2]->parent, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_FALSE(places[0]->unified);
  EXPECT_FALSE(places[3].has_value());
}

// A made-up hierarchy of version 2 in ordinary files.
class Unified : public testing::Test {
 protected:
  Unified() : root_(fs::temp_directory_path() / ("lab-cgroup-" + std::to_string(::getpid()))) {
    hand_out("", "cpu memory pids");
    hand_out("user.slice", "memory pids");
    hand_out("user.slice/session", "");
  }
  ~Unified() override { fs::remove_all(root_); }
  void hand_out(const std::string& group, const std::string& controllers) {
    fs::create_directories(root_ / group);
    std::ofstream(root_ / group / "cgroup.subtree_control") << controllers << "\n";
  }
  std::vector<Hierarchy> all() const {
    return {{.unified = true, .controllers = {}, .mount = root_.string(), .own = "/user.slice/session"}};
  }
  fs::path root_;
};

TEST_F(Unified, TheNearestGroupThatHandsItOut) {
  const auto places = places_for({"memory", "pids"}, all());
  EXPECT_EQ(places[0]->parent, (root_ / "user.slice").string());
  EXPECT_EQ(places[1]->parent, (root_ / "user.slice").string());
}

TEST_F(Unified, AllInOnePlace) {
  const auto places = places_for({"memory", "cpu", "freezer"}, all());
  for (const auto& place : places) EXPECT_EQ(place->parent, root_.string());
}

TEST_F(Unified, TheFreezerNeedsNoController) {
  EXPECT_EQ(places_for({"freezer"}, all())[0]->parent, (root_ / "user.slice/session").string());
  EXPECT_FALSE(places_for({"io"}, all())[0].has_value());
}

}  // namespace
}  // namespace lab::sandbox
