"""Given names that are hardly ever another word: what tells a person where there is no title.

Written for this project: common Indian names first, as exercises of accounting use them, then
English, Arabic, Spanish and others. Names that are words as well (Mark, Bill, Grant, Rose, Asha
as hope) are left out unless they are rare as words.
"""

from kd_kedro.text.words import word_set

GIVEN_NAMES = word_set(
    "Aarav Aarti Abdul Abhay Abhijit Abhinav Abhishek Aditi Aditya Ahmed Ajay Ajit Akash Akbar "
    "Akhil Akshay Alok Aman Amar Amit Amitabh Amrita Anand Ananya Anil Anita Anjali Ankit Ankita "
    "Anuj Anupam Anurag Aparna Archana Arjun Arun Aruna Arvind Ashish Ashok Ashwin Avinash Ayesha "
    "Babu Balaji Bharati Bhavna Bhuvan Brijesh Chandan Charu Chetan Chitra Deepa Deepak Deepika "
    "Dev Devendra Dhruv Dilip Dinesh Divya Farhan Fatima Gagan Ganesh Gaurav Gautam Gauri Geeta "
    "Girish Gita Gopal Govind Gulshan Gurpreet Hari Harish Harsh Harsha Hemant Himanshu Imran "
    "Indira Irfan Ishaan Jagdish Jai Jatin Jaya Jayant Jitendra Jyoti Kailash Kajal Kamal Kamala "
    "Kamlesh Kapil Karan Karthik Kavita Kiran Kishan Kishore Komal Krishna Kunal Lakshmi Lalit "
    "Lata Madan Madhav Madhu Mahendra Mahesh Manan Manish Manisha Manju Manoj Meena Meera Meghna "
    "Mohan Mohit Mukesh Mukul Nandini Narayan Narendra Naresh Naveen Neeraj Neha Nikhil Nilesh "
    "Nisha Nitin Om Omkar Padma Pallavi Pankaj Parth Pooja Prabhat Pradeep Prakash Pramod Pranav "
    "Prasad Prashant Pratap Praveen Preeti Prem Priya Priyanka Puneet Radha Raghav Raghu Rahim "
    "Rahul Raj Raja Rajan Rajat Rajeev Rajendra Rajesh Rajiv Raju Rakesh Ram Rama Raman Ramesh "
    "Rani Ranjit Rashmi Ratan Ravi Ravindra Reena Rekha Renu Ritu Rohan Rohit Roshan Sachin "
    "Sahil Salim Salman Sameer Sandeep Sangeeta Sanjay Sanjeev Santosh Sarita Satish Saurabh "
    "Savita Seema Shankar Sharad Shashi Sheela Shiv Shivam Shobha Shreya Shubham Shyam Siddharth "
    "Sita Smita Sneha Sohan Sonal Sonia Subhash Sudha Sudhir Suman Sumit Sunil Sunita Suraj "
    "Suresh Surinder Sushil Sushma Swati Tanvi Tarun Tushar Uday Uma Umesh Usha Varun Vijay "
    "Vikas Vikram Vimal Vinay Vineet Vinod Vipin Vishal Vishnu Vivek Yash Yogesh Yusuf Zakir "
    "Adam Adrian Alan Albert Alex Alexander Alice Alison Amanda Amy Andrew Angela Anna Anne "
    "Anthony Arthur Barbara Benjamin Bernard Betty Brandon Brenda Brian Carlos Carol Caroline "
    "Catherine Charles Charlotte Chloe Chris Christine Christopher Claire Daniel David Deborah "
    "Dennis Diana Donald Donna Dorothy Douglas Edward Edwin Elena Elizabeth Emily Emma Eric Ethan "
    "Eva Evelyn Fiona Frances Francis Frederick Gary George Gerald Graham Gregory Hannah Harold "
    "Harry Heather Helen Henry Howard Ian Isaac Isabella Jacob James Janet Jason Jeffrey Jennifer "
    "Jeremy Jessica Joan Joanna John Jonathan Jose Joseph Joshua Juan Judith Julia Julie Karen "
    "Karl Katherine Kathleen Keith Kelly Kenneth Kevin Laura Lauren Lawrence Leonard Linda Lisa "
    "Louis Louise Lucy Luis Luke Margaret Maria Marie Martha Martin Mary Matthew Megan Melissa "
    "Michael Michelle Mohamed Mohammed Muhammad Nancy Natalie Nathan Nicholas Nicole Noah Olivia "
    "Oliver Omar Oscar Pamela Patricia Paul Peter Philip Rachel Ralph Raymond Rebecca Richard "
    "Robert Roger Ronald Russell Ruth Ryan Samantha Samuel Sandra Sarah Scott Sean Sharon Sheila "
    "Simon Sophia Stephanie Stephen Steven Stuart Susan Teresa Thomas Timothy Tom Tony Tyler "
    "Vanessa Veronica Victoria Vincent Virginia Walter Wendy William Xavier Zachary Zoe "
    "Ali Hassan Hussein Ibrahim Khalid Layla Mustafa Noor Zainab Chen Wei Li Ming Yuki Hiroshi "
    "Kenji Ivan Olga Sergei Pierre Jacques Hans Klaus Giovanni Paolo Antonio Miguel Pedro Sofia"
) - word_set("Chen Wei Li Ming Om Harsh Dev Victoria Virginia Scott Prem Noor Jai")
