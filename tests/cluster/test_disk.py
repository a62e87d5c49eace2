#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What happens to data folders: wiped, put back from an old copy, damaged, torn, forgotten."""
import glob
import os
import shutil
import subprocess

import cluster
from cluster import ClusterTest, seeded, wait_until

PORT = 22800


def newest_journal(folder):
    return sorted(glob.glob(os.path.join(folder, "journal-*.log")))[-1]


def used(path):
    """Where the preallocated zeros begin."""
    with open(path, "rb") as file:
        return len(file.read().rstrip(b"\0"))


class Disks(ClusterTest):
    def likes(self, c, *more):
        """Likes through all servers, checked."""
        return c.load("--count", "20000", "--prefix", "k", *more, rate="max").complete()

    def totals(self, c):
        return {name: c.row(name)["likes_total"] for name in c.servers if c.runs(name)}

    def test_wiped(self):
        """A disk is destroyed in the middle of it: what was acknowledged is on another, too."""
        c = self.cluster(PORT, flags=["--ack-peers", "1"])
        self.likes(c)
        load = c.load()
        load.flows()
        old = c.row("s2")["node"]
        c.kill("s2")
        shutil.rmtree(c.data("s2"))
        c.start("s2")
        new = c.row("s2")["node"]
        self.assertNotEqual(new, old)
        c.ok("forget", old)
        # The new node listens where the forgotten one did: the others must still hear it.
        wait_until(lambda: len(c.status("s1")["servers"]) == 3, "the old node is forgotten")
        before = int(c.ok("--server", c.endpoint("s2"), "like", "after:forget").split()[1])
        c.await_count("after:forget", before)
        wait_until(lambda: {row["node"] for row in c.status()["servers"]} ==
                   {new, c.row("s1")["node"], c.row("s3")["node"]}, lambda: c.status())
        load.flows()
        report = load.finish()
        self.assertEqual(report["check"]["servers"], 3)
        self.assertEqual(len(set(self.totals(c).values())), 1, self.totals(c))

    def test_an_old_copy_put_back(self):
        """What was acknowledged since is on another disk, too, or a copy put back at once may be without it."""
        c = self.cluster(PORT, flags=["--ack-peers", "1"])
        self.likes(c)
        c.terminate("s2")
        backup = c.data("backup")
        shutil.copytree(c.data("s2"), backup)
        c.start("s2")
        for times in range(2):
            before = self.likes(c)["acknowledged"]
            load = c.load()
            load.flows()
            c.kill("s2")
            shutil.rmtree(c.data("s2"))
            shutil.copytree(backup, c.data("s2"))
            c.start("s2")
            load.flows()
            load.finish()
            totals = self.totals(c)
            self.assertEqual(len(set(totals.values())), 1, totals)
            self.assertGreater(totals["s2"], before * (times + 2))

    def test_a_copy_that_reaches_nobody(self):
        """It may lack what was acknowledged after it was made: it waits for another member, or for an operator's word."""
        c = self.cluster(PORT)
        if subprocess.run(["stat", "-c", "%W", c.data("s2")], capture_output=True, check=True).stdout.strip() == b"0":
            self.skipTest("the file system keeps no times of birth")
        self.likes(c)
        copies = [c.data("running"), c.data("stopped")]
        subprocess.run(["cp", "-a", c.data("s2"), copies[0]], check=True)
        c.terminate("s2")
        subprocess.run(["cp", "-a", c.data("s2"), copies[1]], check=True)
        c.start("s2")
        self.likes(c)
        for times, copy in enumerate(copies, 1):
            c.kill(*c.servers)
            shutil.rmtree(c.data("s2"))
            subprocess.run(["cp", "-a", copy, c.data("s2")], check=True)
            for again in (1, 2):  # the next start knows it, too
                c.spawn("s2")
                wait_until(lambda: c.log("s2").count("its data folder is a copy") == 2 * (times - 1) + again, "it says so")
                wait_until(lambda: c.states()["s2"] == "catching-up", lambda: c.states())
                c.kill("s2")
            if times == 1:
                c.start(*c.servers)  # brought up to date
                self.assertEqual(set(self.totals(c).values()), {40000})
                c.kill(*c.servers)
                c.start("s2")  # and its own again
                self.assertEqual(self.totals(c), {"s2": 40000})
                c.start("s1", "s3")
        c.flags += ["--accept-stale"]
        c.start("s2")
        self.assertEqual(self.totals(c), {"s2": 20000})
        self.assertIn("taken as it is", c.log("s2"))
        c.start("s1", "s3")
        wait_until(lambda: set(self.totals(c).values()) == {40000}, lambda: self.totals(c))

    def test_forgotten(self):
        c = self.cluster(PORT)
        self.likes(c)
        c.kill("s3")
        c.ok("forget", "s3")
        self.assertEqual(set(c.states()), {"s1", "s2"})
        for leader in (True, False):  # told by the leader, or by another server, or by what it knows itself
            if not leader:
                c.kill("leader")
            c.spawn("s3")
            self.assertEqual(c.ended("s3"), 3)
            self.assertIn("forgotten", c.log("s3").splitlines()[-1])
            self.assertIn("wipe", c.log("s3").splitlines()[-1])
        c.start("leader")
        shutil.rmtree(c.data("s3"))
        c.start("s3")
        self.assertEqual(set(self.totals(c).values()), {20000})
        c.ok("forget", "s3")  # and one that is alive: it ends by itself
        self.assertEqual(c.ended("s3"), 3)
        self.likes(c)

    def test_damage_in_the_middle_is_repaired_by_peers(self):
        draw = seeded()
        c = self.cluster(PORT)
        self.likes(c, "--linger", "0")
        c.kill("s2")
        path = newest_journal(c.data("s2"))
        end = used(path)
        with open(path, "r+b") as file:
            for _ in range(5):
                at = draw.randrange(end // 4, end * 3 // 4)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << draw.randrange(8)]))
        c.start("s2")
        self.assertIn("damaged", c.log("s2"))
        self.likes(c)
        self.assertEqual(len(set(self.totals(c).values())), 1, self.totals(c))
        total = c.total()
        c.kill(*c.servers)  # what was repaired is on its disk
        c.start("s2")
        self.assertEqual(self.totals(c), {"s2": total})

    def test_damage_with_no_peer_is_not_passed_over(self):
        c = self.cluster(PORT, servers=1)
        self.likes(c, "--linger", "0")
        c.kill("s1")
        path = newest_journal(c.data("s1"))
        with open(path, "r+b") as file:
            file.seek(used(path) // 2)
            byte = file.read(1)[0]
            file.seek(used(path) // 2)
            file.write(bytes([byte ^ 1]))
        c.spawn("s1")
        wait_until(lambda: "damaged" in c.log("s1"), "the log tells of the damage")
        wait_until(lambda: c.states() == {"s1": "catching-up"}, lambda: c.states())
        code, out, err = c.kudos("--timeout", "4", "count", "kkey:1", KUDOS_SERVER=c.endpoint("s1"))
        self.assertEqual((code, out), (1, ""), err)  # longer than any grace: it does not serve

    def test_damage_to_the_last_record_with_no_peer_is_not_passed_over(self):
        """After an end in order, and after a crash with another start in between: no later record shows a gap."""
        c = self.cluster(PORT, servers=1)
        for times, (key, stop) in enumerate((("last:1", c.terminate), ("last:2", c.kill)), 1):
            c.ok("like", key)
            stop("s1")
            if stop == c.kill:
                c.start("s1")
                c.kill("s1")
            path = sorted(glob.glob(os.path.join(c.data("s1"), "journal-*.log")))
            path = [p for p in path if key.encode() in open(p, "rb").read()][-1]
            with open(path, "r+b") as file:
                at = file.read().rindex(key.encode())
                file.seek(at)
                file.write(key.encode().upper())
            c.spawn("s1")
            wait_until(lambda: c.log("s1").count("damaged in its own journal") == times, "it says what it waits for")
            wait_until(lambda: c.states() == {"s1": "catching-up"}, lambda: c.states())
            c.kill("s1")
            with open(path, "r+b") as file:  # the disk finds it again
                file.seek(at)
                file.write(key.encode())
            c.start("s1")
            self.assertEqual(c.ok("count", key).split(), [key, "1"])

    def test_a_torn_tail_is_cut(self):
        draw = seeded()
        c = self.cluster(PORT, servers=1)
        self.likes(c)
        total = c.total()
        for size in (1, 39, 40, 500):
            c.kill("s1")
            path = newest_journal(c.data("s1"))
            with open(path, "r+b") as file:
                file.seek((used(path) + 7) // 8 * 8)
                file.write(draw.randbytes(size - 1) + b"\1")
            c.start("s1")
            self.assertIn("cut", c.log("s1"))
            self.assertEqual(self.totals(c), {"s1": total})
        self.likes(c)

    def test_a_lost_tail_is_fetched_again(self):
        """A disk that lied about what it had written: the others have it."""
        c = self.cluster(PORT)
        self.likes(c)
        total = c.total()
        c.kill("s2")
        path = newest_journal(c.data("s2"))
        os.truncate(path, used(path) * 2 // 3)
        c.start("s2")
        wait_until(lambda: set(self.totals(c).values()) == {total}, lambda: self.totals(c))
        self.likes(c)


if __name__ == "__main__":
    cluster.main(__name__)
