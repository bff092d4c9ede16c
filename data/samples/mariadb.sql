/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: workshop
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `posts`
--

DROP TABLE IF EXISTS `posts`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `posts` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `title` varchar(200) DEFAULT NULL,
  `body` mediumtext DEFAULT NULL,
  `score` int(11) DEFAULT NULL COMMENT 'votes, or NULL',
  `created` datetime NOT NULL,
  `attachment` blob DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `created` (`created`)
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `posts`
--

LOCK TABLES `posts` WRITE;
/*!40000 ALTER TABLE `posts` DISABLE KEYS */;
INSERT INTO `posts` VALUES
(1,'The lathe in shed two','It\'s older than any of us, and it was driven by a belt from the mill until 1948. Somebody fitted a washing-machine motor; somebody else fitted a better one. It still has the miller\'s initials scratched in the bed, and if you oil it before you start, it\'ll turn a chair leg true to the width of a hair.',31,'2021-03-02 18:20:00','�PNG\r\n\Z\n\0\0'),
(2,'Glue: what holds, what doesn\'t','Hide glue for chairs, because the next person must be able to take them apart; white glue for boxes; epoxy for things you never want to see again. Don\'t mix sawdust into any of them to fill a gap. It looks well for a week, then it looks like porridge.',44,'2021-03-09 09:05:12',NULL),
(3,NULL,'I have nothing to call this note. The vice by the window was left open overnight, with the jaws at full stretch, and the screw sagged. Please close it to a finger\'s width when you\'re done; it\'s two minutes\' kindness, and a new screw would be made in another country and take until summer.',12,'2021-03-15 21:44:59',NULL),
(4,'A note with no body',NULL,NULL,'2021-03-16 08:00:00',NULL),
(5,'Path to the plans','The drawings are on the old laptop under C:\\plans\\boats\\new\\final\\really_final. Don\'t open the one called \\temp; it\'s a picture of Keith. To print them at full size, choose \"poster\" and 4 x 4 sheets, then tape the sheets on the floor; shoes off, please.',18,'2021-04-01 12:00:00','\0��\'\";--\\'),
(6,'Sharpening day','Bring knives wrapped in a newspaper; bring scissors tied shut.\n\nLast time we did 140 blades in five hours. The oldest was a hay knife from 1880, the newest a pizza wheel, and the bluntest, by a wide margin, belonged to the butcher.\n\n	Tea from three.',57,'2021-04-11 10:30:00',NULL),
(7,'Dovetails for the impatient','Cut the tails first, clamp the two boards side by side, and saw both at once. Nobody will ever see that they\'re identical, since each goes into its own pins. Halve the marking, halve the mistakes. My teacher called it cheating, and he did it every day of his working life.',73,'2021-05-20 17:15:30',NULL),
(8,'Why the saw binds','Wood moves while you cut it. A board that grew on a slope has been leaning all its life; free one half and it\'ll close on the blade like a door on a draught. Knock a wedge into the cut behind the saw, and don\'t swear at it; it can\'t help how it grew.',25,'2021-06-07 20:01:00',NULL),
(9,'Emoji test from the tablet 🔨🪚🙂','Typed this on the new tablet by the door, which puts a little hammer 🔨 in place of the word whenever it can. I wanted to say that the 🪚 with the red handle needs setting, and that I\'ve hung it on the nail marked \"NOT YET\". Sorry for the pictures 🙂.',9,'2021-06-30 07:55:41','🔨'),
(10,'Found under the floor','While lifting the boards for the new cable we found: eleven marbles, a ration book, one clay pipe, and a letter that begins \"Dear Sir; I must decline your offer of the goat\". No envelope. If your family once owned (or offered) a goat, the letter\'s pinned up by the kettle.',88,'2021-07-18 16:40:00',NULL),
(11,'Paint','Linseed paint takes four days to dry, and people can\'t bear it. They put the second coat on at the end of the first day, and then they\'ve got a skin with soup below it. Go away. Have a holiday. The door has been there since 1790 and it won\'t leave.',36,'2021-08-02 11:11:11',NULL),
(12,'\'Quoted\' \"twice\" and a `backtick`','The label on the drawer said \'screws\', the label inside said \"not screws\", and the drawer held a sandwich. I\'ve relabelled it `misc`. If we could agree on one kind of quotation mark for labels it would help whoever next searches the list; I vote for none at all.',14,'2021-08-22 13:37:00',NULL),
(13,'Percent and underscore','A 5% solution of washing soda in rainwater, a strip of steel for the anode, and a car battery charger: that\'s the bath for rusty tools. Hang the tool in the middle; it mustn\'t touch. After a night at 2 amps the rust_brown comes off as black_mud under a brush.',29,'2021-09-05 19:25:18','�\0'),
(14,'Who took the level?','The long spirit level, the one with the green glass, isn\'t on its pegs. I don\'t want a name. I want it back on the pegs by Friday; and I\'d like whoever hung that shelf in the lobby to look at it again, once they have done so, with the bubble in view.',52,'2021-10-10 10:10:10',NULL),
(15,'; DROP the hammer','A hammer dropped from the ladder, Robert; that\'s what went through the conservatory, and not, as you told the insurers, \"hail\". -- I say nothing more /* than that */ here; but the dent in the tile fits the ball of it exactly, and hail seldom says \'Made in Sheffield\'.',67,'2021-11-01 22:05:00',NULL),
(16,'Winter fuel','Offcuts of oak, ash and beech are in the crates by the back door, free to anybody with a stove. Plywood, chipboard and all that\'s painted goes to the tip: the smoke from it is poison, and your chimney will tell the neighbours. Last crate to the Misses Hallam, as always.',40,'2021-12-03 15:30:00',NULL);
/*!40000 ALTER TABLE `posts` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `users`
--

DROP TABLE IF EXISTS `users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `login` varchar(40) NOT NULL,
  `name` varchar(80) DEFAULT NULL,
  `about` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `login` (`login`)
) ENGINE=InnoDB AUTO_INCREMENT=6 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci COMMENT='who writes; see `posts`';
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `users`
--

LOCK TABLES `users` WRITE;
/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` VALUES
(1,'keith','Keith Dunmore','owns \'the\' lathe; says so'),
(2,'joan','Joan Tillotson',NULL),
(3,'oduya','Ben Oduya','draws thin lines'),
(4,'hallam','The Misses Hallam','two people, one account \\ one login'),
(5,'zoë','Zoë Kerr','🪚');
/*!40000 ALTER TABLE `users` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-24 17:09:17
